import type { Node, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import type { Writer } from './writer.ts'

/** Bytes from which on glibc maps each tensor by itself: one that is freed is gone at once. */
const large = 2 ** 25

/** Whether two copies of a sum are worth avoiding. */
export const isLargeSum = ({ shape }: RunNode): boolean => 4 * sizeOf(shape) >= large

/**
 * sum + A·B, written over the sum where nothing else reads that any more: Gemm always makes a new one, and copies the old
 * one into it on a single thread. The product is said as a convolution by filters one wide, the one op of ONNX Runtime
 * that multiplies matrices and may add onto what is there; no bias, and no activation.
 */
export function addProduct(w: Writer, sum: string, [a, b]: readonly string[], product: Node<'matmul'>): string {
  const { transposeA, transposeB, scale } = product.attributes
  if (scale !== 1) throw new Error('Internal error: a convolution does not scale')
  const [rows, width] = product.shape as readonly [number, number]
  const between = product.inputs[0]!.shape[transposeA ? 0 : 1]!
  const filters = w.emit('Reshape', [turned(w, a!, transposeA), w.ints([rows, between, 1])])
  const image = w.emit('Reshape', [turned(w, b!, transposeB), w.ints([1, between, width])])
  const onto = w.emit('Reshape', [sum, w.ints([1, rows, width])])
  const attributes = { kernel_shape: [1] }
  const added = w.emit('FusedConv', [image, filters, '', onto], { domain: 'com.microsoft', attributes })
  return w.emit('Reshape', [added, w.ints([rows, width])])
}

/** Whether sums are added onto in place: the arena, which keeps what is freed, would then hold as much as two copies. */
export const addsInPlace = ({ nodes }: Writer): boolean => nodes.some(({ opType }) => opType === 'FusedConv')

function turned(w: Writer, x: string, turn: boolean): string {
  return turn ? w.emit('Transpose', [x], { attributes: { perm: [1, 0] } }) : x
}
