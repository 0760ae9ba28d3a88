import { Failure } from '../../util/failure.ts'
import { ALGORITHM_BYTES, PREFERENCE, REDUCTION_COMPUTE_TYPE, RESULT_BYTES, bindBlas } from './blas.ts'
import type { Blas } from './blas.ts'
import type { Address, Matmul, MatmulShape } from './device.ts'
import { handleFrom } from './native.ts'
import type { Library } from './native.ts'
import { Product } from './product.ts'

/** cuBLASLt chooses its algorithms for addresses that are multiples of this. */
const ALIGNMENT = 16

/** What one product may use beside its operands, in bytes. */
export const WORKSPACE_BYTES = 32 * 2 ** 20

/** cuBLASLt on one stream. The workspace is one for all: on a stream, products run one after the other. */
export class Products {
  private readonly blas: Blas
  private readonly handle: bigint
  private readonly stream: bigint
  private readonly workspace: Address
  /** By shape, so that an algorithm is looked for once. */
  private readonly prepared = new Map<string, Product>()

  constructor(library: Library, stream: bigint, workspace: Address) {
    this.blas = bindBlas(library)
    this.handle = handleFrom((place) => this.blas.cublasLtCreate(place))
    this.stream = stream
    this.workspace = workspace
  }

  /** Throws Failure `DEVICE_FAILED` where cuBLASLt cannot compute it. */
  prepare(shape: MatmulShape): Product {
    const key = JSON.stringify(Object.entries(shape).sort())
    const known = this.prepared.get(key)
    if (known) return known
    const product = new Product(this.blas, shape)
    // not read here, but how it is aligned counts
    if (shape.epilogue !== 'none') product.setBias(this.workspace + ALIGNMENT)
    product.algorithm.set(this.choose(product))
    this.prepared.set(key, product)
    return product
  }

  multiply(matmul: Matmul, a: Address, b: Address, c: Address, bias?: Address): void {
    if (!(matmul instanceof Product)) throw new Error('Internal error: this product is none of a card')
    checkAddresses(matmul.shape, { a, b, c, bias })
    if (bias !== undefined) matmul.setBias(bias)
    const { description, alpha, beta, layoutA, layoutB, layoutC, algorithm } = matmul
    this.blas.cublasLtMatmul(
      this.handle,
      description,
      alpha,
      b,
      layoutB,
      a,
      layoutA,
      beta,
      c,
      layoutC,
      c,
      layoutC,
      algorithm,
      this.workspace,
      WORKSPACE_BYTES,
      this.stream,
    )
  }

  dispose(): void {
    for (const product of this.prepared.values()) product.dispose()
    this.blas.cublasLtDestroy(this.handle)
  }

  /** The algorithm that cuBLASLt takes for the fastest. */
  private choose(product: Product): Uint8Array {
    const preference = prefer(this.blas)
    const result = new Uint8Array(RESULT_BYTES)
    try {
      this.ask(product, preference, result)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const message = `there is no algorithm for the product ${JSON.stringify(product.shape)}: ${reason}`
      throw new Failure('DEVICE_FAILED', message, { exitCode: 1, cause })
    } finally {
      this.blas.cublasLtMatmulPreferenceDestroy(preference)
    }
    return result.subarray(0, ALGORITHM_BYTES)
  }

  private ask({ description, layoutA, layoutB, layoutC }: Product, preference: bigint, result: Uint8Array): void {
    const found = new Int32Array(1)
    this.blas.cublasLtMatmulAlgoGetHeuristic(
      this.handle,
      description,
      layoutB,
      layoutA,
      layoutC,
      layoutC,
      preference,
      1,
      result,
      found,
    )
    if (found[0] === 0) throw new Error('cuBLASLt knows none')
  }
}

function prefer(blas: Blas): bigint {
  const preference = handleFrom((place) => blas.cublasLtMatmulPreferenceCreate(place))
  const set = (attribute: number, value: NodeJS.ArrayBufferView): void =>
    blas.cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, value.byteLength)
  set(PREFERENCE.workspaceBytes, BigUint64Array.of(BigInt(WORKSPACE_BYTES)))
  // a sum may be split, but its parts are not rounded to bf16
  set(PREFERENCE.reductionSchemes, Uint32Array.of(REDUCTION_COMPUTE_TYPE))
  for (const attribute of PREFERENCE.alignments) set(attribute, Uint32Array.of(ALIGNMENT))
  return preference
}

interface Operands {
  readonly a: Address
  readonly b: Address
  readonly c: Address
  readonly bias: Address | undefined
}

function checkAddresses({ epilogue }: MatmulShape, { a, b, c, bias }: Operands): void {
  if ((epilogue === 'none') !== (bias === undefined)) {
    throw new Error(`Internal error: a bias is given, and only given, where the epilogue adds one: "${epilogue}"`)
  }
  for (const address of [a, b, c, bias ?? 0]) {
    if (address % ALIGNMENT !== 0) throw new Error(`Internal error: ${address} is no multiple of ${ALIGNMENT}`)
  }
}
