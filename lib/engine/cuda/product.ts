import { ALGORITHM_BYTES, COMPUTE, DESCRIPTION, EPILOGUE, LAYOUT, TYPE } from './blas.ts'
import type { Blas } from './blas.ts'
import type { Address, Matmul, MatmulShape } from './device.ts'
import { handleFrom } from './native.ts'

/**
 * A product as cuBLASLt wants it told. It counts down columns, so that it takes what lies there as a row-major (r, c)
 * matrix X for a column-major (c, r) one, which is Xᵀ. Its result is Cᵀ (n, m), then, and since Cᵀ = Bᵀ·Aᵀ, its
 * first operand is our B and its second our A:
 *
 *   B held as (k, n): it sees (n, k) = Bᵀ and takes it as it is; held as (n, k): it sees (k, n) = B, to be transposed.
 *   A held as (m, k): it sees (k, m) = Aᵀ and takes it as it is; held as (k, m): it sees (m, k) = A, to be transposed.
 *
 * The bias, one value for each row of its result, is one for each column of ours.
 */
export class Product implements Matmul {
  readonly shape: MatmulShape
  readonly description: bigint
  readonly layoutA: bigint
  readonly layoutB: bigint
  readonly layoutC: bigint
  readonly alpha: Float32Array
  readonly beta: Float32Array
  readonly algorithm = new Uint8Array(ALGORITHM_BYTES)
  private readonly blas: Blas

  constructor(blas: Blas, shape: MatmulShape) {
    this.blas = blas
    this.shape = shape
    this.alpha = Float32Array.of(shape.scale)
    this.beta = Float32Array.of(shape.accumulate ? 1 : 0)
    this.description = describe(blas, shape)
    const { batch, m, n, k, transposeA, transposeB, sharedA, sharedB, input, output } = fold(shape)
    const [rowsA, columnsA] = transposeA ? [k, m] : [m, k]
    const [rowsB, columnsB] = transposeB ? [n, k] : [k, n]
    const { pitchA = columnsA, pitchB = columnsB, pitchC = n } = shape
    const [heldA, heldB] = [
      { type: input, rows: rowsA, columns: columnsA, pitch: pitchA, batch, shared: sharedA },
      { type: input, rows: rowsB, columns: columnsB, pitch: pitchB, batch, shared: sharedB },
    ]
    this.layoutA = layOut(blas, heldA)
    this.layoutB = layOut(blas, heldB)
    this.layoutC = layOut(blas, { type: output, rows: m, columns: n, pitch: pitchC, batch, shared: false })
  }

  /** Of the output's type. */
  setBias(address: Address): void {
    setAttribute(this.blas, this.description, DESCRIPTION.biasPointer, BigUint64Array.of(BigInt(address)))
  }

  dispose(): void {
    this.blas.cublasLtMatmulDescDestroy(this.description)
    for (const layout of [this.layoutA, this.layoutB, this.layoutC]) this.blas.cublasLtMatrixLayoutDestroy(layout)
  }
}

/** A batch whose rows all meet the same B is one product with more rows, which is faster. */
function fold(shape: MatmulShape): MatmulShape {
  const { batch, m, transposeA, sharedA, sharedB } = shape
  return sharedB && !sharedA && !transposeA ? { ...shape, batch: 1, m: batch * m } : shape
}

function describe(blas: Blas, { input, tf32, epilogue, transposeA, transposeB }: MatmulShape): bigint {
  const compute = input === 'f32' && tf32 ? COMPUTE.tf32 : COMPUTE.f32
  const description = handleFrom((place) => blas.cublasLtMatmulDescCreate(place, compute, TYPE.f32))
  // its A is our B
  setAttribute(blas, description, DESCRIPTION.transposeA, Int32Array.of(transposeB ? 1 : 0))
  setAttribute(blas, description, DESCRIPTION.transposeB, Int32Array.of(transposeA ? 1 : 0))
  setAttribute(blas, description, DESCRIPTION.epilogue, Uint32Array.of(EPILOGUE[epilogue]))
  return description
}

function setAttribute(blas: Blas, description: bigint, attribute: number, value: NodeJS.ArrayBufferView): void {
  blas.cublasLtMatmulDescSetAttribute(description, attribute, value, value.byteLength)
}

interface Held {
  readonly type: MatmulShape['input']
  readonly rows: number
  readonly columns: number
  readonly pitch: number
  readonly batch: number
  readonly shared: boolean
}

/** Of matrices held row-major one after the other; of a shared one the next is the same again. */
function layOut(blas: Blas, { type, rows, columns, pitch, batch, shared }: Held): bigint {
  const layout = handleFrom((place) => blas.cublasLtMatrixLayoutCreate(place, TYPE[type], columns, rows, pitch))
  const set = (attribute: number, value: NodeJS.ArrayBufferView): void =>
    blas.cublasLtMatrixLayoutSetAttribute(layout, attribute, value, value.byteLength)
  set(LAYOUT.batchCount, Int32Array.of(batch))
  set(LAYOUT.batchStride, BigInt64Array.of(BigInt(shared ? 0 : rows * pitch)))
  return layout
}
