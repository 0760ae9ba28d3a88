import type { KernelConfig, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core'
import type { Tf } from './ops.ts'
import type { WasmBackend } from './wasm-backend.ts'

type Inputs = Readonly<Record<string, TensorInfo>>
type Compute = (backend: WasmBackend, inputs: Inputs, attributes: NamedAttrMap) => TensorInfo

/** Gives the backend the kernels that it lacks, and a fast product of matrices. To be called once, before the backend begins. */
export function supplyKernels(tf: Tf): void {
  const add = (kernelName: string, compute: Compute, setupFunc?: (backend: WasmBackend) => void): void => {
    const known = tf.getKernel(kernelName, 'wasm') as KernelConfig | undefined // its type is wrong
    if (known) tf.unregisterKernel(kernelName, 'wasm')
    tf.registerKernel({
      kernelName,
      backendName: 'wasm',
      kernelFunc: ({ inputs, backend, attrs }) => compute(backend as WasmBackend, inputs as Inputs, attrs ?? {}),
      ...(setupFunc && { setupFunc: (backend) => setupFunc(backend as WasmBackend) }),
    })
  }
  add(tf.UnsortedSegmentSum, sumByRow)
  const product = new Product(tf)
  add(tf.BatchMatMul, product.compute, product.setUp)
}

/** Adds the rows of x (N, …) up by their ids (N); a row whose id is out of range goes nowhere. */
const sumByRow: Compute = (backend, inputs, { numSegments }) => {
  const [x, segmentIds] = [inputs['x']!, inputs['segmentIds']!]
  const rows = numSegments as number
  const shape = x.shape.slice(1)
  const width = shape.reduce((product, length) => product * length, 1)
  const sums = backend.makeOutput([rows, ...shape], x.dtype)
  // after the last allocation: a heap that grows leaves older views empty
  const [from, ids, to] = [x, segmentIds, sums].map((one) => backend.typedArrayFromHeap(one))
  to!.fill(0)
  ids!.forEach((row, i) => {
    if (row < 0 || row >= rows) return
    for (let j = 0; j < width; j++) to![row * width + j]! += from![i * width + j]!
  })
  return sums
}

type Multiply = (...call: [number, Uint8Array, number, number, Uint8Array, number, boolean, boolean, number]) => void

/**
 * Products of matrices by XNNPACK. The stock kernel hands it two matrices that lie as they are, and computes batches and
 * transposed operands by plain loops, 50 times as slow: here a batch goes matrix by matrix, and what is transposed is turned first.
 */
class Product {
  private readonly tf: Tf
  private multiply: Multiply | undefined

  constructor(tf: Tf) {
    this.tf = tf
  }

  readonly setUp = ({ wasm }: WasmBackend): void => {
    const numbers = ['number', 'array', 'number', 'number', 'array', 'number', 'number', 'number', 'number']
    this.multiply = wasm.cwrap('BatchMatMul', null, numbers) as Multiply
  }

  readonly compute: Compute = (backend, inputs, { transposeA, transposeB }) => {
    const [a, endA] = this.turned(backend, inputs['a']!, transposeA as boolean)
    const [b, endB] = this.turned(backend, inputs['b']!, transposeB as boolean)
    const [lead, rows, between, width] = [a.shape.slice(0, -2), a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!]
    const result = backend.makeOutput([...lead, rows, width], 'float32')
    const count = lead.reduce((product, length) => product * length, 1)
    // XNNPACK packs the second operand, and where it finds no room for that, computes nothing, without an error
    backend.wasm._free(backend.wasm._malloc(4 * (between + 16) * (width + 16)))
    for (let i = 0; i < count; i++) {
      const [x, y, z] = [a, b, result].map((all, slot) => matrixOf(backend, all, i, slot)) as [number, number, number]
      this.multiply!(x, bytesOf([1, rows, between]), 3, y, bytesOf([1, between, width]), 3, false, false, z)
      for (const id of [x, y, z]) backend.wasm.tfjs.disposeData(id)
    }
    endA()
    endB()
    return result
  }

  /** The last two axes exchanged where they are to be, and what gives that back. */
  private turned(backend: WasmBackend, x: TensorInfo, turn: boolean): [TensorInfo, () => void] {
    if (!turn) return [x, () => undefined]
    const last = x.shape.length - 1
    const perm = [...x.shape.keys()].slice(0, -2).concat(last, last - 1)
    const transpose = this.tf.getKernel(this.tf.Transpose, 'wasm').kernelFunc
    const y = transpose({ inputs: { x }, backend, attrs: { perm } }) as TensorInfo
    return [y, () => backend.disposeData(y.dataId)]
  }
}

/** The id of matrix i of a batch as a tensor of its own, in the same memory. Slots of ids, so high that the backend gives none out. */
function matrixOf({ wasm, dataIdMap }: WasmBackend, { dataId, shape }: TensorInfo, i: number, slot: number): number {
  const [id, size] = [2 ** 30 + slot, shape.at(-2)! * shape.at(-1)!]
  wasm.tfjs.registerTensor(id, size, dataIdMap.get(dataId).memoryOffset + 4 * i * size)
  return id
}

const bytesOf = (shape: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(shape).buffer)
