import type { Node, Tensor } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { elementType } from './proto.ts'
import type { Dialect } from './ops.ts'
import { webgpuDialect } from './webgpu-ops.ts'
import type { Writer } from './writer.ts'

/**
 * How many terms of a product are summed up as halves. ONNX Runtime's kernels for WebGPU sum up in the type of the factors: ones,
 * as many as there may be, make 2,048. With n terms of no common sign that is wrong by √(n/2) · 2^−12.3 of the sum, as a root
 * mean square: 0.11 % with 64. With bfloat16, whose sums are float32, the rounding of the factors makes 0.22 %.
 */
const longest = 64
/** Bytes of such sums that exist at once, one beside the other. */
const mostBytes = 2 ** 26

/**
 * For WebGPU with the factors of products as halves. Sums of 64 terms are halves, too; what adds them up does so in float32,
 * though up to 64 MiB of them at a time come out as halves again. All else is float32, as it is without.
 */
export const halfDialect: Dialect = {
  ...webgpuDialect,
  emitters: { ...webgpuDialect.emitters, matmul: product },
  fusesProducts: false,
}

function product(w: Writer, names: readonly string[], node: Node<'matmul'>): string {
  const { scale } = node.attributes
  const factors = factorsOf(names, node)
  const terms = factors[0].shape[factors[0].axis]!
  const atOnce = longest * Math.max(1, Math.floor(mostBytes / (2 * sizeOf(node.shape))))
  const sums = evenly(terms, atOnce).map(([from, to]) => {
    const sum = multiplied(w, factors.map((factor) => cut(w, factor, from, to)) as unknown as Pair)
    return w.emit('Cast', [sum], { attributes: { to: elementType.float32 } })
  })
  const sum = sums.reduce((before, one) => w.emit('Add', [before, one]))
  return scale === 1 ? sum : w.emit('Mul', [sum, w.float(scale)])
}

/** What is multiplied, and along which of its axes it is summed up. */
interface Factor {
  readonly name: string
  readonly shape: readonly number[]
  readonly axis: number
}
type Pair = readonly [left: Factor, right: Factor]

function factorsOf([a, b]: readonly string[], { inputs, attributes }: Node<'matmul'>): Pair {
  const [left, right] = inputs as readonly [Tensor, Tensor]
  const end = left.shape.length
  return [
    { name: a!, shape: left.shape, axis: end - (attributes.transposeA ? 2 : 1) },
    { name: b!, shape: right.shape, axis: end - (attributes.transposeB ? 1 : 2) },
  ]
}

/** Few stretches of nearly one length, which is a multiple of 64 but for the last. */
function evenly(terms: number, most: number): (readonly [from: number, to: number])[] {
  const count = Math.ceil(terms / most)
  const size = longest * Math.ceil(terms / count / longest)
  const starts = Array.from({ length: Math.ceil(terms / size) }, (_, part) => part * size)
  return starts.map((from) => [from, Math.min(from + size, terms)])
}

/** A stretch of the terms, as halves. */
function cut(w: Writer, { name, shape, axis }: Factor, from: number, to: number): Factor {
  const half = w.once(`half ${name}`, () => [w.emit('Cast', [name], { attributes: { to: elementType.float16 } })])[0]!
  if (to - from === shape[axis]) return { name: half, shape, axis }
  const slice = (): string[] => [w.emit('Slice', [half, w.ints([from]), w.ints([to]), w.ints([axis])])]
  return { name: w.once(`${half} ${axis} ${from} ${to}`, slice)[0]!, shape: shape.with(axis, to - from), axis }
}

/** Sums of at most 64 terms are as many products side by side, which are then added up. */
function multiplied(w: Writer, [left, right]: Pair): string {
  const terms = left.shape[left.axis]!
  const parts = Math.ceil(terms / longest)
  if (parts === 1) return short(w, left, right)
  const each = Math.ceil(terms / parts)
  const end = left.shape.length
  const products = w.emit('MatMul', [
    inParts(w, padded(w, left, parts * each), parts, end - 1),
    inParts(w, padded(w, right, parts * each), parts, end - 2),
  ])
  return w.emit('ReduceSum', [products, w.ints([end - 2])], { attributes: { keepdims: 0 } })
}

/** With zeros behind. */
function padded(w: Writer, { name, shape, axis }: Factor, terms: number): Factor {
  const missing = terms - shape[axis]!
  if (missing === 0) return { name, shape, axis }
  const pads = [...shape.map(() => 0), ...shape.map((_, one) => (one === axis ? missing : 0))]
  const zero = w.constant('float16', [], Uint16Array.of(0))
  return { name: w.emit('Pad', [name, w.ints(pads), zero]), shape: shape.with(axis, terms), axis }
}

/** (…, parts, rows, columns), of which the axis `to`, counted without the parts, has the terms of one part. */
function inParts(w: Writer, { name, shape, axis }: Factor, parts: number, to: number): string {
  const end = shape.length
  const whole = w.emit('Reshape', [name, w.ints(shape.toSpliced(axis, 1, parts, shape[axis]! / parts))])
  const other = axis === end - 1 ? end - 2 : end // where the axis that is not summed up is now
  const last = to === end - 1 ? [other, axis + 1] : [axis + 1, other]
  const perm = [...shape.slice(0, -2).keys(), axis, ...last]
  return perm.every((from, at) => from === at) ? whole : w.emit('Transpose', [whole], { attributes: { perm } })
}

/** Gemm turns matrices by itself; of a batch they are turned before. */
function short(w: Writer, left: Factor, right: Factor): string {
  const end = left.shape.length
  const [transA, transB] = [Number(left.axis === end - 2), Number(right.axis === end - 1)]
  if (end === 2) return w.emit('Gemm', [left.name, right.name], { attributes: { transA, transB } })
  return w.emit('MatMul', [turned(w, left, transA), turned(w, right, transB)])
}

function turned(w: Writer, { name, shape }: Factor, isTurned: number): string {
  const axes = [...shape.keys()]
  const perm = [...axes.slice(0, -2), ...axes.slice(-2).reverse()]
  return isTurned ? w.emit('Transpose', [name], { attributes: { perm } }) : name
}
