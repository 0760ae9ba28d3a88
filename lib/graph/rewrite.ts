import { apply } from './apply.ts'
import { broadcastTo, constant, neg, rsqrt, sqrt, square, sub, add, mul } from './elementwise.ts'
import { broadcastShapes } from './shapes.ts'
import { concat, pad, reshape } from './structure.ts'
import { sameShape } from './tensor.ts'
import type { Node, OpName, Shape, Tensor } from './tensor.ts'

/** An equal expression that costs less, or the node itself. Its inputs have been rewritten before. */
export function rewrite(node: Tensor): Tensor {
  const folded = fold(node)
  if (folded) return folded
  const plain = dropStretching(node)
  return rewriteOne(plain)
}

function rewriteOne(node: Tensor): Tensor {
  const one = rewrites[node.op] as Rewrite<OpName> | undefined
  const [x, y] = node.inputs
  return one && x ? one(node, x, y ?? x) : node
}

type Rewrite<N extends OpName> = (node: Node<N> & Tensor, x: Tensor, y: Tensor) => Tensor

const rewrites: { readonly [N in OpName]?: Rewrite<N> } = {
  stopGradient: (_, x) => x,
  withGradient: (_, x) => x,
  recomputed: (_, x) => x,
  reshape: (node, x) => reshaped(node, x),
  broadcastTo: (node, x) => stretched(node, x),
  slice: (node, x) => (keeps(node, x) ? x : node),
  transpose: (node, x) => transposed(node, x, node.attributes.perm),
  neg: (node, x) => (x.op === 'neg' ? x.inputs[0]! : node),
  add: (node, x, y) => sum(node, x, y),
  sub: (node, x, y) => (isSplat(y, 0) && keeps(node, x) ? x : y.op === 'neg' ? add(x, y.inputs[0]!) : node),
  mul: (node, x, y) => product(node, x, y),
  div: (node, x, y) => (isSplat(y, 1) && keeps(node, x) ? x : node),
  sum: (node, x) => (node.attributes.axes.length === 0 ? x : node),
  mean: (node, x) => (node.attributes.axes.length === 0 ? x : node),
  max: (node, x) => (node.attributes.axes.length === 0 ? x : node),
  cast: (node, x) => (node.dtype === x.dtype ? x : node),
  pow: (node, x) => power(node, x, node.attributes.exponent),
  matmul: (node, x, y) => matmul(node, x, y, node.attributes),
}

const elementwise: ReadonlySet<OpName> = new Set<OpName>([
  ...(['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'equal', 'less', 'lessEqual', 'greater'] as const),
  ...(['greaterEqual', 'and', 'or', 'where'] as const),
])

/** Elementwise ops stretch by themselves: an operand stretched beforehand is a pass over memory for nothing. */
function dropStretching(node: Tensor): Tensor {
  if (!elementwise.has(node.op)) return node
  let inputs = node.inputs
  node.inputs.forEach((x, i) => {
    if (x.op !== 'broadcastTo') return
    const shorter = inputs.map((old, j) => (i === j ? x.inputs[0]! : old))
    const shape = shorter.reduce<Shape>((all, one) => broadcastShapes(all, one.shape)!, [])
    if (sameShape(shape, node.shape)) inputs = shorter
  })
  return inputs === node.inputs ? node : apply(node.op, inputs, node.attributes)
}

function reshaped(node: Tensor, x: Tensor): Tensor {
  if (sameShape(x.shape, node.shape)) return x
  if (x.op === 'reshape') return rewriteOne(reshape(x.inputs[0]!, node.shape))
  if (isScalar(x)) return broadcastTo(x, node.shape)
  if (x.op === 'broadcastTo' && x.inputs[0]!.shape.length === 0) return broadcastTo(x.inputs[0]!, node.shape)
  return node
}

function stretched(node: Tensor, x: Tensor): Tensor {
  if (sameShape(x.shape, node.shape)) return x
  return x.op === 'broadcastTo' ? broadcastTo(x.inputs[0]!, node.shape) : node
}

function transposed(node: Tensor, x: Tensor, perm: readonly number[]): Tensor {
  if (perm.every((axis, index) => axis === index)) return x
  if (x.op !== 'transpose') return node
  const inner = x.attributes.perm
  const source = x.inputs[0]!
  return rewriteOne(apply('transpose', [source], { perm: perm.map((axis) => inner[axis]!) }))
}

function sum(node: Tensor, x: Tensor, y: Tensor): Tensor {
  if (isSplat(y, 0) && keeps(node, x)) return x
  if (isSplat(x, 0) && keeps(node, y)) return y
  if (y.op === 'neg') return sub(x, y.inputs[0]!)
  if (x.op === 'neg') return sub(y, x.inputs[0]!)
  return joined(x, y) ?? joined(y, x) ?? addedBefore(x, y) ?? addedBefore(y, x) ?? node
}

/** Two tensors padded to lie one behind the other along one axis (the derivatives of slices): joined, then padded. */
function joined(x: Tensor, y: Tensor): Tensor | undefined {
  if (x.op !== 'pad' || y.op !== 'pad') return undefined
  const [a, b] = [x.inputs[0]!, y.inputs[0]!]
  const [one, two] = [x.attributes, y.attributes]
  const padded = x.shape.flatMap((length, axis) => (a.shape[axis] === length && b.shape[axis] === length ? [] : [axis]))
  const axis = padded[0] ?? 0
  if (padded.length !== 1 || one.before[axis]! + a.shape[axis]! !== two.before[axis]) return undefined
  const both = concat([...partsOf(a, axis), ...partsOf(b, axis)], axis)
  return sameShape(both.shape, x.shape) ? both : pad(both, one.before, two.after)
}

const partsOf = (x: Tensor, axis: number): readonly Tensor[] =>
  x.op === 'concat' && x.attributes.axis === axis ? x.inputs : [x]

/** A bias is added before the product's rows are put back in shape: then it is the product's own business. */
function addedBefore(x: Tensor, y: Tensor): Tensor | undefined {
  if (x.op !== 'reshape' || y.shape.length !== 1) return undefined
  const product = x.inputs[0]!
  return product.op === 'matmul' && product.shape.at(-1) === y.shape[0] && y.shape[0] === x.shape.at(-1)
    ? reshape(add(product, y), x.shape)
    : undefined
}

function product(node: Tensor, x: Tensor, y: Tensor): Tensor {
  if (isScalar(x) && !isScalar(y)) return rewriteOne(mul(y, x))
  if (isSplat(y, 1) && keeps(node, x)) return x
  if (isSplat(y, -1) && keeps(node, x)) return neg(x)
  const inner = x.op === 'mul' ? x.inputs[1]! : undefined
  if (inner && isScalar(inner) && isScalar(y) && y.dtype === 'float32') {
    return rewriteOne(mul(x.inputs[0]!, constant(valueOf(inner) * valueOf(y))))
  }
  return node
}

function power(node: Tensor, x: Tensor, exponent: number): Tensor {
  if (exponent === 1) return x
  if (exponent === 2) return square(x)
  if (exponent === 0.5) return sqrt(x)
  return exponent === -0.5 ? rsqrt(x) : node
}

type MatmulAttributes = Node<'matmul'>['attributes']

/** A transposed operand is the kernel's own business. */
function matmul(node: Tensor, a: Tensor, b: Tensor, attributes: MatmulAttributes): Tensor {
  const [freeA, freeB] = [swapsMatrix(a), swapsMatrix(b)]
  if (!freeA && !freeB) return node
  return apply('matmul', [freeA ? a.inputs[0]! : a, freeB ? b.inputs[0]! : b], {
    ...attributes,
    transposeA: attributes.transposeA !== freeA,
    transposeB: attributes.transposeB !== freeB,
  })
}

function swapsMatrix(x: Tensor): boolean {
  if (x.op !== 'transpose') return false
  const rank = x.shape.length
  return x.attributes.perm.every((axis, index) => axis === (index < rank - 2 ? index : 2 * rank - 3 - index))
}

const isScalar = (x: Tensor): boolean => x.op === 'constant' && x.shape.length === 0
const valueOf = (x: Tensor): number => (x.op === 'constant' ? x.attributes.data[0]! : NaN)

/** Whether every entry of x is known to be `value`. */
function isSplat(x: Tensor, value: number): boolean {
  const source = x.op === 'broadcastTo' ? x.inputs[0]! : x
  return isScalar(source) && valueOf(source) === value
}

const keeps = (node: Tensor, x: Tensor): boolean => sameShape(node.shape, x.shape)

const foldable: Partial<Record<OpName, (x: number, y: number) => number>> = {
  neg: (x) => -x,
  sqrt: Math.sqrt,
  square: (x) => x * x,
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
}

/** Arithmetic on scalar constants. */
function fold(node: Tensor): Tensor | undefined {
  const compute = foldable[node.op]
  if (!compute || node.dtype !== 'float32' || !node.inputs.every(isScalar)) return undefined
  const [x, y] = node.inputs
  return constant(compute(valueOf(x!), y ? valueOf(y) : 0))
}
