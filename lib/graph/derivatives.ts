import { apply } from './apply.ts'
import * as g from './elementwise.ts'
import { stretchedAxes } from './shapes.ts'
import * as s from './structure.ts'
import { sizeOf } from './tensor.ts'
import type { Node, OpName, Shape, Tensor } from './tensor.ts'

/** The cotangents of a node's inputs, given that of its value `dy`; undefined where nothing flows. */
type Vjp<N extends OpName> = (dy: Tensor, node: Node<N>, y: Tensor, pull: Pull) => readonly (Tensor | undefined)[]

/** The cotangents of `wrt`, given that of an expression. */
export type Pull = (output: Tensor, cotangent: Tensor, wrt: readonly Tensor[]) => readonly Tensor[]

const none = (): readonly undefined[] => []
const refuse = (_: Tensor, { op }: { readonly op: OpName }): never => {
  throw new Error(`Internal error: the derivative of "${op}" is asked for`)
}

/** Each op's derivative in reverse: the vector-Jacobian product. Formulas: d y in terms of d x, read backwards. */
export const derivatives = {
  input: none,
  state: none,
  constant: none,
  iota: none,

  // d(−x) = −dx
  neg: (dy) => [g.neg(dy)],
  // d eˣ = eˣ dx
  exp: (dy, _, y) => [g.mul(dy, y)],
  // d log x = dx/x
  log: (dy, node) => [g.div(dy, first(node))],
  // d √x = dx/(2√x)
  sqrt: (dy, _, y) => [g.div(g.mul(dy, 0.5), y)],
  // d x^(−½) = −½ x^(−3/2) dx
  rsqrt: (dy, _, y) => [g.mul(g.mul(dy, -0.5), g.mul(y, g.square(y)))],
  // d tanh x = (1 − tanh² x) dx
  tanh: (dy, _, y) => [g.mul(dy, g.sub(1, g.square(y)))],
  // d x² = 2x dx
  square: (dy, node) => [g.mul(dy, g.mul(first(node), 2))],
  // d |x| = sign x dx, taken as 0 at 0
  abs: (dy, node) => {
    const x = first(node)
    const sign = g.sub(g.cast(g.greater(x, 0), 'float32'), g.cast(g.less(x, 0), 'float32'))
    return [g.mul(dy, sign)]
  },
  gelu: (dy, node) => [g.mul(dy, g.geluDerivative(first(node)))],
  geluDerivative: (dy, node) => [g.mul(dy, geluSecond(first(node)))],
  not: none,
  // d xⁿ = n xⁿ⁻¹ dx
  pow: (dy, node) => {
    const { exponent } = node.attributes
    return [g.mul(dy, g.mul(g.pow(first(node), exponent - 1), exponent))]
  },
  cast: (dy, node) => [first(node).dtype === 'float32' ? dy : undefined],
  stopGradient: none,

  // d(a + b) = da + db
  add: (dy, node) => [unstretch(dy, first(node)), unstretch(dy, second(node))],
  // d(a − b) = da − db
  sub: (dy, node) => [unstretch(dy, first(node)), g.neg(unstretch(dy, second(node)))],
  // d(ab) = b da + a db
  mul: (dy, node) => {
    const [a, b] = [first(node), second(node)]
    return [unstretch(g.mul(dy, b), a), unstretch(g.mul(dy, a), b)]
  },
  // d(a/b) = da/b − (a/b) db/b
  div: (dy, node, y) => {
    const [a, b] = [first(node), second(node)]
    const da = g.div(dy, b)
    return [unstretch(da, a), g.neg(unstretch(g.mul(da, y), b))]
  },
  // the greater one's share; a's where they are equal
  maximum: (dy, node) => choose(dy, g.greaterEqual(first(node), second(node)), first(node), second(node)),
  // the lesser one's share; a's where they are equal
  minimum: (dy, node) => choose(dy, g.lessEqual(first(node), second(node)), first(node), second(node)),
  equal: none,
  less: none,
  lessEqual: none,
  greater: none,
  greaterEqual: none,
  and: none,
  or: none,
  where: (dy, node) => [undefined, ...choose(dy, first(node), second(node), third(node))],

  // d Σx = Σdx
  sum: (dy, node) => [stretch(dy, node)],
  // d mean x = Σdx/n
  mean: (dy, node) => [stretch(g.mul(dy, sizeOf(node.shape) / sizeOf(first(node).shape)), node)],
  // d max x = the mean of dx over the entries that attain it
  max: (dy, node, y) => {
    const x = first(node)
    const attained = g.cast(g.equal(x, stretch(y, node)), 'float32')
    const count = s.sum(attained, node.attributes.axes, true)
    return [g.mul(stretch(dy, node), g.div(attained, count))]
  },
  argMax: none,

  // a permutation of the entries: its inverse
  reshape: (dy, node) => [s.reshape(dy, first(node).shape)],
  transpose: (dy, { attributes: { perm } }) => [
    s.transpose(
      dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ],
  broadcastTo: (dy, node) => [unstretch(dy, first(node))],
  concat: (dy, node) => parts(dy, node),
  // the adjoint of cutting out is padding with zeros
  slice: (dy, node) => {
    const { starts, sizes } = node.attributes
    return [
      s.pad(
        dy,
        starts,
        first(node).shape.map((length, axis) => length - starts[axis]! - sizes[axis]!),
      ),
    ]
  },
  pad: (dy, node) => [s.slice(dy, node.attributes.before, first(node).shape)],

  // y = T[ids]: dT[r] = Σ over the places where ids = r
  gather: (dy, node) => [float(first(node), () => s.scatterAdd(second(node), dy, first(node).shape[0]!))],
  scatterAdd: (dy, node) => [undefined, s.gather(dy, first(node))],
  takeAlong: (dy, node) => [float(first(node), () => s.putAlong(second(node), dy, first(node).shape.at(-1)!))],
  putAlong: (dy, node) => [undefined, s.takeAlong(dy, first(node))],
  // y is u in one place, x elsewhere: du = dy in that place, dx = dy elsewhere
  dynamicUpdateSlice: (dy, node) => replaced(dy, node),

  // Y = AB: dA = dY Bᵀ, dB = Aᵀ dY
  matmul: (dy, node) => matmul(dy, node),
  // y = softmax x: dx = y (dy − Σ y dy)
  softmax: (dy, _, y) => {
    const weighted = g.mul(y, dy)
    return [g.sub(weighted, g.mul(y, s.sum(weighted, [-1], true)))]
  },
  // y = x − log Σ eˣ: dx = dy − eʸ Σ dy
  logSoftmax: (dy, _, y) => [g.sub(dy, g.mul(g.exp(y), s.sum(dy, [-1], true)))],
  layerNorm: (dy, node) => layerNorm(dy, node),
  // d mean x = Σdx/n
  layerNormMean: (dy, node) => [g.broadcastTo(g.mul(dy, 1 / width(node)), first(node).shape), undefined, undefined],
  // r = (v + ε)^(−½): dr = −r³/n Σ (x − mean) dx
  layerNormInverse: (dy, node, y) => {
    const mean = statistic('layerNormMean', node)
    const factor = g.mul(g.mul(dy, g.mul(y, g.square(y))), -1 / width(node))
    return [g.mul(factor, g.sub(first(node), mean)), undefined, undefined]
  },
  // put in where derivatives are there already
  attention: refuse,
  attentionLogSum: refuse,
  toHalf: refuse,
  attentionGradient: refuse,
  withGradient: (dy, node) => node.inputs.map((_, i) => (i % 2 === 1 ? scaled(dy, node.inputs[i + 1]!) : undefined)),
  recomputed: (dy, node, _, pull) => {
    const [first, ...rest] = node.inputs.slice(1) as [Tensor, ...Tensor[]]
    // later than dy, or the engine would see that it has computed the same before, and keep that; what the inputs come of is
    // the business of who asks
    const inputs = [s.after(first, dy), ...rest].map(g.stopGradient)
    return [undefined, ...pull(node.attributes.fn(...inputs), dy, inputs)]
  },
} satisfies { [N in OpName]: Vjp<N> }

type Any = { readonly inputs: readonly Tensor[] }
const first = (node: Any): Tensor => node.inputs[0]!
const second = (node: Any): Tensor => node.inputs[1]!
const third = (node: Any): Tensor => node.inputs[2]!
const width = (node: Any): number => first(node).shape.at(-1)!
const float = (x: Tensor, make: () => Tensor): Tensor | undefined => (x.dtype === 'float32' ? make() : undefined)

/** The adjoint of broadcasting `like` to dy's shape: sums over what was stretched. */
function unstretch(dy: Tensor, like: Tensor): Tensor {
  const axes = stretchedAxes(like.shape, dy.shape)
  return axes.length === 0 ? dy : s.reshape(s.sum(dy, axes), like.shape)
}

/** A reduction's value or cotangent, back in the shape of what was reduced. */
function stretch(dy: Tensor, node: Node<'sum'> | Node<'mean'> | Node<'max'>): Tensor {
  const { shape } = first(node)
  const kept = shape.map((length, axis) => (node.attributes.axes.includes(axis) ? 1 : length))
  return g.broadcastTo(s.reshape(dy, kept), shape)
}

function choose(dy: Tensor, condition: Tensor, a: Tensor, b: Tensor): readonly Tensor[] {
  return [unstretch(g.where(condition, dy, 0), a), unstretch(g.where(condition, 0, dy), b)]
}

function parts(dy: Tensor, { inputs, attributes: { axis } }: Node<'concat'>): readonly Tensor[] {
  let start = 0
  return inputs.map((x) => {
    const starts = x.shape.map((_, index) => (index === axis ? start : 0))
    start += x.shape[axis]!
    return s.slice(dy, starts, x.shape)
  })
}

function replaced(dy: Tensor, node: Node<'dynamicUpdateSlice'>): readonly Tensor[] {
  const [update, start, { axis }] = [second(node), third(node), node.attributes]
  const elsewhere = s.dynamicUpdateSlice(dy, g.zeros(update.shape), start, axis)
  const perm = [axis, ...dy.shape.keys()].filter((one, at) => at === 0 || one !== axis)
  const places = g.add(start, g.iota([update.shape[axis]!], 0))
  const there = s.gather(s.transpose(dy, perm), places)
  const back = perm.map((_, at) => perm.indexOf(at))
  return [elsewhere, s.transpose(there, back)]
}

function matmul(dy: Tensor, node: Node<'matmul'>): readonly Tensor[] {
  const [a, b] = [first(node), second(node)]
  const { transposeA, transposeB, scale } = node.attributes
  const product = (x: Tensor, y: Tensor, tx: boolean, ty: boolean): Tensor =>
    s.matmul(x, y, { transposeA: tx, transposeB: ty, scale })
  return [
    transposeA ? product(b, dy, transposeB, true) : product(dy, b, false, !transposeB),
    transposeB ? product(dy, a, true, transposeA) : product(a, dy, !transposeA, false),
  ]
}

/** x̂ = (x − mean) r, y = γx̂ + β: dβ = Σdy, dγ = Σ dy x̂, dx = r (γdy − mean(γdy) − x̂ mean(γdy x̂)); Ba et al., arXiv:1607.06450 */
function layerNorm(dy: Tensor, node: Node<'layerNorm'>): readonly Tensor[] {
  const [x, gain, bias] = [first(node), second(node), third(node)]
  const inverse = statistic('layerNormInverse', node)
  const normal = g.mul(g.sub(x, statistic('layerNormMean', node)), inverse)
  const scaled = g.mul(dy, gain)
  const centred = g.sub(scaled, s.mean(scaled, [-1], true))
  const dx = g.mul(inverse, g.sub(centred, g.mul(normal, s.mean(g.mul(scaled, normal), [-1], true))))
  return [dx, unstretch(g.mul(dy, normal), gain), unstretch(dy, bias)]
}

function statistic(
  op: 'layerNormMean' | 'layerNormInverse',
  { inputs, attributes: { epsilon } }: Node<'layerNorm'> | Node<'layerNormMean'> | Node<'layerNormInverse'>,
): Tensor {
  return apply(op, inputs, { epsilon })
}

/** With u = c(x + ax³), t = tanh u, u′ = c(1 + 3ax²), u″ = 6acx: gelu″ = (1 − t²)(u′ + ½x(u″ − 2tu′²)) */
function geluSecond(x: Tensor): Tensor {
  const [c, a] = [Math.sqrt(2 / Math.PI), 0.044715]
  const squared = g.square(x)
  const t = g.tanh(g.mul(g.mul(x, c), g.add(g.mul(squared, a), 1)))
  const slope = g.add(g.mul(squared, 3 * a * c), c)
  const bend = g.sub(g.mul(x, 6 * a * c), g.mul(g.mul(t, 2), g.square(slope)))
  return g.mul(g.sub(1, g.square(t)), g.add(slope, g.mul(g.mul(x, 0.5), bend)))
}

/** A scalar cotangent times a given gradient. */
function scaled(dy: Tensor, gradient: Tensor): Tensor {
  const scalar: Shape = []
  return g.mul(s.reshape(dy, scalar), gradient)
}
