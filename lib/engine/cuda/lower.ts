import { apply } from '../../graph/apply.ts'
import * as g from '../../graph/index.ts'
import type { Graph, Node, RunNode, RunOp, Shape, Tensor } from '../../graph/index.ts'
import { mostParts } from './keep.ts'
import { topological } from '../../graph/topological.ts'

/** The ops that are left: rows' own functions are said by sums, maxima and what goes entry by entry. */
export type LowOp = Exclude<RunOp, 'softmax' | 'logSoftmax' | 'layerNorm' | Statistic | 'mean' | 'argMax'>
type Statistic = 'layerNormMean' | 'layerNormInverse'

type Inputs = readonly [Tensor, ...Tensor[]]
type Lowering<N extends RunOp> = (inputs: Inputs, node: Node<N>) => Tensor

const lowerings: { readonly [N in RunOp]?: Lowering<N> } = {
  softmax: ([x]) => {
    const powers = g.exp(g.sub(x, rowMax(x)))
    return g.mul(powers, g.div(1, rowSum(powers)))
  },
  logSoftmax: ([x]) => {
    const centred = g.sub(x, rowMax(x))
    return g.sub(centred, g.log(rowSum(g.exp(centred))))
  },
  layerNorm: ([x, gain, bias], { attributes: { epsilon } }) => {
    const normal = g.mul(g.sub(x, rowMean(x)), inverseDeviation(x, epsilon))
    return g.add(g.mul(normal, gain!), bias!)
  },
  // what is added 0 times is there for the order alone, which a single number need not keep
  add: ([x, y], { shape }) => (g.sizeOf(shape) === 1 && isNothing(y!) ? g.reshape(x, shape) : g.add(x, y!)),
  // a division takes longer than a product: once for all entries that share the divisor
  div: ([x, y]) => (g.sizeOf(x.shape) >= 64 * g.sizeOf(y!.shape) ? g.mul(x, g.div(1, y!)) : g.div(x, y!)),
  concat: (parts, { attributes: { axis } }) => joined(parts, axis),
  layerNormMean: ([x]) => rowMean(x),
  layerNormInverse: ([x], { attributes: { epsilon } }) => inverseDeviation(x, epsilon),
  mean: ([x], { shape, attributes: { axes, keepDims } }) =>
    g.div(staged(x, axes, keepDims, 'sum'), g.sizeOf(x.shape) / g.sizeOf(shape)),
  sum: ([x], { attributes: { axes, keepDims } }) => staged(x, axes, keepDims, 'sum'),
  max: ([x], { attributes: { axes, keepDims } }) => staged(x, axes, keepDims, 'max'),
  // the first of equal ones is the one with the most entries after it; float32 counts to 2²⁴
  argMax: ([x]) => {
    const last = x.shape.length - 1
    const after = g.cast(g.sub(x.shape[last]! - 1, g.iota(x.shape, last)), 'float32')
    const most = g.max(g.where(g.equal(x, rowMax(x)), after, 0), [last])
    return g.sub(x.shape[last]! - 1, g.cast(most, 'int32'))
  },
}

/** An equal graph of fewer kinds of ops, in the same order. What its values do not depend on, inputs as well, is gone. */
export function lower(graph: Graph): Graph {
  const lowered = new Map<Tensor, Tensor>()
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((from) => lowered.get(from)!)
    lowered.set(node, lowerOne(node, inputs))
  }
  const simpler = g.graph({
    outputs: Object.fromEntries(graph.nodes.map((node, i) => [i, lowered.get(node)!])),
  }).outputs
  return inOrder(graph, new Map(graph.nodes.map((node, i) => [node, simpler.get(String(i))!])))
}

/** Each node where the graph had what it is made from: an order of its own would keep other values at the same time. */
function inOrder(graph: Graph, final: ReadonlyMap<RunNode, RunNode>): Graph {
  const renamed = (parts: ReadonlyMap<string, RunNode>): Map<string, RunNode> =>
    new Map([...parts].map(([name, node]) => [name, final.get(node)!]))
  const [outputs, updates] = [renamed(graph.outputs), renamed(graph.updates)]
  const needed = new Set(topological([...outputs.values(), ...updates.values()]))
  const nodes = topological(graph.nodes.map((node) => final.get(node)!).filter((node) => needed.has(node))) as RunNode[]
  const named = (op: 'input' | 'state'): Map<string, RunNode> =>
    new Map(nodes.flatMap((node) => (node.op === op ? [[node.attributes.name, node]] : [])))
  return { nodes, inputs: named('input'), state: named('state'), outputs, updates }
}

function lowerOne(node: RunNode, inputs: readonly Tensor[]): Tensor {
  const [first, ...rest] = inputs
  const lowering = lowerings[node.op] as Lowering<RunOp> | undefined
  if (first && lowering) return lowering([first, ...rest], node)
  return inputs.every((x, i) => x === node.inputs[i]) ? node : apply(node.op, inputs, node.attributes)
}

/** In groups that a kernel has pointers for. */
function joined(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length <= mostParts) return g.concat(parts, axis)
  const groups = Array.from({ length: Math.ceil(parts.length / mostParts) }, (_, i) =>
    g.concat(parts.slice(i * mostParts, (i + 1) * mostParts), axis),
  )
  return joined(groups, axis)
}

/** 0 · x */
const isNothing = ({ op, inputs }: Tensor): boolean =>
  op === 'mul' && inputs.some((x) => x.op === 'constant' && x.shape.length === 0 && x.attributes.data[0] === 0)

const rowMax = (x: Tensor): Tensor => staged(x, [x.shape.length - 1], true, 'max')
const rowSum = (x: Tensor): Tensor => staged(x, [x.shape.length - 1], true, 'sum')
const rowMean = (x: Tensor): Tensor => g.div(rowSum(x), x.shape.at(-1)!)

function inverseDeviation(x: Tensor, epsilon: number): Tensor {
  const variance = rowMean(g.square(g.sub(x, rowMean(x))))
  return g.rsqrt(g.add(variance, epsilon))
}

/** A reduction, in two stages where one would keep too few threads busy. */
function staged(x: Tensor, axes: readonly number[], keepDims: boolean, op: 'sum' | 'max'): Tensor {
  const reduce = g[op]
  const [first, last] = [axes[0], axes.at(-1)]
  if (first === undefined || last === undefined || last - first >= axes.length) return reduce(x, axes, keepDims)
  const [lead, length, rest] = [
    g.sizeOf(x.shape.slice(0, first)),
    g.sizeOf(x.shape.slice(first, last + 1)),
    g.sizeOf(x.shape.slice(last + 1)),
  ]
  const parts = rest === 1 ? partsOfRows(lead, length) : partsOfColumns(lead * rest, length)
  if (parts === 1) return reduce(x, axes, keepDims)
  const shape: Shape = x.shape.flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size]))
  return g.reshape(reduce(reduce(g.reshape(x, [lead, parts, length / parts, rest]), [2]), [1]), shape)
}

/** A block takes a row: some thousands of them, of some thousand entries, are enough. */
const partsOfRows = (rows: number, length: number): number =>
  rows >= 512 || length < 16384 ? 1 : divisorBelow(length, Math.min(length / 2048, 4096 / rows))

/** A thread takes a column. */
const partsOfColumns = (columns: number, length: number): number =>
  columns >= 65536 || length < 64 ? 1 : divisorBelow(length, Math.min(length / 16, 524288 / columns, 128))

function divisorBelow(length: number, most: number): number {
  for (let parts = Math.floor(most); parts > 1; parts--) if (length % parts === 0) return parts
  return 1
}
