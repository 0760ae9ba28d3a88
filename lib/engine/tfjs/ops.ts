import type * as TensorFlow from '@tensorflow/tfjs-core'
import type { Node, PlainOp, RunNode, RunOp, Shape } from '../../graph/index.ts'

export type Tf = typeof TensorFlow
type Value = TensorFlow.Tensor
type Values = readonly Value[]
/** Computes a node of the graph from the values of its inputs. */
type Compute<N extends RunOp> = (tf: Tf, inputs: Values, node: Node<N>) => Value

/** TensorFlow.js for every op of the language, each from ops that have a derivative of their own there. */
export const computes = {
  input: () => leaf(),
  state: () => leaf(),
  constant: (tf, _, { attributes: { data, shape, dtype } }) =>
    tf.cast(tf.tensor(data, [...shape], data instanceof Float32Array ? 'float32' : 'int32'), dtype),
  iota: (tf, _, { shape, attributes: { axis } }) => {
    const counted = shape.map((length, index) => (index === axis ? length : 1))
    return tf.broadcastTo(tf.reshape(tf.range(0, shape[axis]!, 1, 'int32'), counted), [...shape])
  },

  neg: (tf, [x]) => tf.neg(x!),
  exp: (tf, [x]) => tf.exp(x!),
  log: (tf, [x]) => tf.log(x!),
  sqrt: (tf, [x]) => tf.sqrt(x!),
  rsqrt: (tf, [x]) => tf.rsqrt(x!),
  tanh: (tf, [x]) => tf.tanh(x!),
  square: (tf, [x]) => tf.square(x!),
  abs: (tf, [x]) => tf.abs(x!),
  gelu: (tf, [x]) => tf.mul(tf.mul(x!, 0.5), tf.add(tf.tanh(geluArgument(tf, x!)), 1)),
  geluDerivative: (tf, [x]) => geluDerivative(tf, x!),
  not: (tf, [x]) => tf.logicalNot(x!),
  pow: (tf, [x], { attributes: { exponent } }) => tf.pow(x!, tf.scalar(exponent)),
  // a cast to truth takes 0.5 for false on some backends
  cast: (tf, [x], { attributes: { dtype } }) =>
    dtype === 'bool' && x!.dtype !== 'bool' ? tf.notEqual(x!, tf.scalar(0, x!.dtype)) : tf.cast(x!, dtype),

  add: (tf, [a, b]) => tf.add(a!, b!),
  sub: (tf, [a, b]) => tf.sub(a!, b!),
  mul: (tf, [a, b]) => tf.mul(a!, b!),
  div: (tf, [a, b]) => tf.div(a!, b!),
  maximum: (tf, [a, b], { shape }) => tf.maximum(stretch(tf, a!, shape), stretch(tf, b!, shape)),
  minimum: (tf, [a, b], { shape }) => tf.minimum(stretch(tf, a!, shape), stretch(tf, b!, shape)),
  equal: (tf, [a, b]) => tf.equal(a!, b!),
  less: (tf, [a, b]) => tf.less(a!, b!),
  lessEqual: (tf, [a, b]) => tf.lessEqual(a!, b!),
  greater: (tf, [a, b]) => tf.greater(a!, b!),
  greaterEqual: (tf, [a, b]) => tf.greaterEqual(a!, b!),
  and: (tf, [a, b]) => tf.logicalAnd(a!, b!),
  or: (tf, [a, b]) => tf.logicalOr(a!, b!),
  where: (tf, [condition, a, b]) => tf.where(condition!, a!, b!),

  sum: (tf, [x], { attributes: { axes, keepDims } }) => tf.sum(x!, [...axes], keepDims),
  mean: (tf, [x], { attributes: { axes, keepDims } }) => tf.mean(x!, [...axes], keepDims),
  max: (tf, [x], { attributes: { axes, keepDims } }) => tf.max(x!, [...axes], keepDims),
  argMax: (tf, [x]) => tf.argMax(x!, -1),

  reshape: (tf, [x], { shape }) => tf.reshape(x!, [...shape]),
  transpose: (tf, [x], { attributes: { perm } }) => tf.transpose(x!, [...perm]),
  broadcastTo: (tf, [x], { shape }) => tf.broadcastTo(x!, [...shape]),
  concat: (tf, inputs, { attributes: { axis } }) => tf.concat([...inputs], axis),
  slice: (tf, [x], { attributes: { starts, sizes } }) => tf.slice(x!, [...starts], [...sizes]),
  pad: (tf, [x], { attributes: { before, after } }) =>
    tf.pad(
      x!,
      before.map((n, axis): [number, number] => [n, after[axis]!]),
    ),

  gather: (tf, [table, ids], { shape }) => tf.reshape(tf.gather(table!, flat(tf, ids!)), [...shape]),
  scatterAdd: (tf, [ids, updates], { shape, attributes: { rows } }) => {
    const stacked = tf.reshape(updates!, [ids!.size, ...shape.slice(1)])
    return tf.unsortedSegmentSum(stacked, flat(tf, ids!), rows)
  },
  takeAlong: (tf, [x, ids]) => tf.sum(tf.where(oneHot(tf, ids!, x!.shape.at(-1)!), x!, tf.zerosLike(x!)), -1),
  putAlong: (tf, [ids, updates], { attributes: { size } }) =>
    tf.where(oneHot(tf, ids!, size), tf.expandDims(updates!, -1), tf.scalar(0)),
  dynamicUpdateSlice: (tf, [x, update, start], { attributes: { axis } }) => {
    const [length, size] = [x!.shape[axis]!, update!.shape[axis]!]
    // the start is not read: a device would have to be waited for
    const places = tf.sub(tf.range(0, length, 1, 'int32'), start!)
    const within = tf.logicalAnd(tf.greaterEqual(places, 0), tf.less(places, size))
    const nearest = tf.minimum(tf.maximum(places, tf.scalar(0, 'int32')), tf.scalar(size - 1, 'int32'))
    const shape = x!.shape.map((_, index) => (index === axis ? length : 1))
    return tf.where(tf.reshape(within, shape), tf.gather(update!, nearest as TensorFlow.Tensor1D, axis), x!)
  },

  matmul: (tf, [a, b], { attributes: { transposeA, transposeB, scale } }) => {
    const product = tf.matMul(a!, b!, transposeA, transposeB)
    return scale === 1 ? product : tf.mul(product, scale)
  },
  softmax: (tf, [x]) => tf.softmax(x!),
  logSoftmax: (tf, [x]) => tf.logSoftmax(x!),
  layerNorm: (tf, [x, gain, bias], { attributes: { epsilon } }) => {
    const centred = tf.sub(x!, tf.mean(x!, -1, true))
    return tf.add(tf.mul(tf.mul(centred, inverseDeviation(tf, x!, epsilon)), gain!), bias!)
  },
  layerNormMean: (tf, [x]) => tf.mean(x!, -1, true),
  layerNormInverse: (tf, [x], { attributes: { epsilon } }) => inverseDeviation(tf, x!, epsilon),
} satisfies { [N in PlainOp]: Compute<N> }

type AnyCompute = (tf: Tf, inputs: Values, node: Node<RunOp>) => Value

/**
 * The values of all nodes, in order; `leaves` has those of the inputs and the state. Made inside the caller's tidy. Where
 * `wanted` says which are asked for, the others are given back as soon as nothing needs them any more.
 */
export function interpret(
  tf: Tf,
  nodes: readonly RunNode[],
  leaves: ReadonlyMap<RunNode, Value>,
  wanted?: ReadonlySet<object>,
): Map<object, Value> {
  const values = new Map<object, Value>(leaves)
  const spent = wanted ? lastUses(nodes, (node) => wanted.has(node) || leaves.has(node as RunNode)) : undefined
  for (const node of nodes) {
    if (values.has(node)) continue
    const inputs = node.inputs.map((from) => values.get(from)!)
    values.set(
      node,
      tf.tidy(() => (computes[node.op as PlainOp] as AnyCompute)(tf, inputs, node)),
    )
    for (const from of spent?.get(node) ?? []) values.get(from)!.dispose()
  }
  return values
}

/** By node: those that are used by it, and by none after it. */
function lastUses(nodes: readonly RunNode[], stays: (node: object) => boolean): Map<object, object[]> {
  const last = new Map<object, object>()
  for (const node of nodes) for (const from of node.inputs) last.set(from, node)
  const spent = new Map<object, object[]>()
  for (const [from, user] of last) if (!stays(from)) spent.set(user, [...(spent.get(user) ?? []), from])
  return spent
}

function leaf(): never {
  throw new Error('Internal error: inputs and state have values before the ops run')
}

const flat = (tf: Tf, ids: Value): TensorFlow.Tensor1D => tf.reshape(ids, [ids.size])

/** Beforehand, for ops whose derivative there does not know of stretching. */
const stretch = (tf: Tf, x: Value, shape: Shape): Value => tf.broadcastTo(x, [...shape])

const oneHot = (tf: Tf, ids: Value, size: number): Value =>
  tf.cast(tf.reshape(tf.oneHot(flat(tf, ids), size), [...ids.shape, size]), 'bool')

/** √(2/π)(x + 0.044715x³) */
function geluArgument(tf: Tf, x: Value): Value {
  const cubic = tf.mul(tf.mul(x, tf.square(x)), 0.044715) // a power takes ten times as long
  return tf.mul(tf.add(x, cubic), Math.sqrt(2 / Math.PI))
}

/** ½(1 + t) + ½x(1 − t²)u′ with t = tanh u, u′ = √(2/π)(1 + 3·0.044715x²) */
function geluDerivative(tf: Tf, x: Value): Value {
  const t = tf.tanh(geluArgument(tf, x))
  const slope = tf.mul(tf.add(tf.mul(tf.square(x), 3 * 0.044715), 1), Math.sqrt(2 / Math.PI))
  const curved = tf.mul(tf.mul(x, tf.sub(1, tf.square(t))), slope)
  return tf.mul(tf.add(tf.add(t, 1), curved), 0.5)
}

/** 1/√(variance + ε), the variance a biased one. */
function inverseDeviation(tf: Tf, x: Value, epsilon: number): Value {
  const variance = tf.mean(tf.square(tf.sub(x, tf.mean(x, -1, true))), -1, true)
  return tf.rsqrt(tf.add(variance, epsilon))
}
