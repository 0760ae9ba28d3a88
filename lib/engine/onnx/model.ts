import type { Graph, Node, PlainOp, RunNode, RunOp } from '../../graph/index.ts'
import { findFusions } from './fuse.ts'
import { plainDialect } from './ops.ts'
import type { Dialect } from './ops.ts'
import { elementType, encodeModel } from './proto.ts'
import type { ValueInfoProto } from './proto.ts'
import { addsInPlace } from './sums.ts'
import { valueInfo, Writer } from './writer.ts'

/** An ONNX model and how its tensors are named. */
export interface OnnxModel {
  readonly bytes: Uint8Array
  /** Name of an input or state in the graph to its name in the model. */
  readonly inputs: ReadonlyMap<string, string>
  readonly state: ReadonlyMap<string, string>
  /** Several may share one tensor: each is computed and brought out once. */
  readonly outputs: ReadonlyMap<string, string>
  readonly updates: ReadonlyMap<string, string>
  /** Whether a large sum is added onto in place. */
  readonly inPlace: boolean
}

type AnyEmit = (w: Writer, inputs: readonly string[], node: Node<RunOp>) => string

/** Writes the graph as an ONNX model with one output a distinct value. */
export function writeModel(graph: Graph, dialect: Dialect = plainDialect): OnnxModel {
  const w = new Writer()
  const names = new Map<RunNode, string>()
  const border: ValueInfoProto[] = []
  const inputs = declareLeaves(w, graph.inputs, 'i:', names, border, dialect)
  const state = declareLeaves(w, graph.state, 's:', names, border, dialect)
  const nameOf = (node: object): string => names.get(node as RunNode)!
  const fusions = findFusions(graph, dialect)
  const absorbed = new Set([...fusions.values()].map((fusion) => fusion.absorbed))
  for (const node of graph.nodes) {
    if (names.has(node) || absorbed.has(node)) continue
    const fusion = fusions.get(node)
    const emit = dialect.emitters[node.op as PlainOp] as AnyEmit
    names.set(node, fusion?.emit(w, nameOf, dialect) ?? emit(w, node.inputs.map(nameOf), node))
  }
  const exits = new Map<RunNode, string>()
  const leave = (parts: ReadonlyMap<string, RunNode>): Map<string, string> =>
    new Map([...parts].map(([name, node]) => [name, exit(w, node, nameOf(node), exits)]))
  const outputs = leave(graph.outputs)
  const updates = leave(graph.updates)
  const results = [...exits].map(([node, name]) => valueInfo(name, node))
  const bytes = encodeModel(w.finish('graph', border, results))
  return { bytes, inputs, state, outputs, updates, inPlace: addsInPlace(w) }
}

function declareLeaves(
  w: Writer,
  leaves: ReadonlyMap<string, RunNode>,
  prefix: string,
  names: Map<RunNode, string>,
  border: ValueInfoProto[],
  { float16 }: Dialect,
): Map<string, string> {
  const declared = new Map<string, string>()
  for (const [name, node] of leaves) {
    const outer = prefix + name
    border.push(valueInfo(outer, { shape: node.shape, dtype: node.dtype === 'float16' ? float16 : node.dtype }))
    declared.set(name, outer)
    const isBool = node.dtype === 'bool'
    names.set(node, isBool ? w.emit('Cast', [outer], { attributes: { to: elementType.bool } }) : outer)
  }
  return declared
}

/** A result goes by the name that it has: an Identity to rename it would be a copy. Leaves alone need one. */
function exit(w: Writer, node: RunNode, name: string, exits: Map<RunNode, string>): string {
  const known = exits.get(node)
  if (known !== undefined) return known
  const computed = w.nodes.some(({ output }) => output.includes(name)) && ![...exits.values()].includes(name)
  const outer =
    node.dtype === 'bool'
      ? w.emit('Cast', [name], { attributes: { to: elementType.int32 } })
      : computed
        ? name
        : w.emit('Identity', [name])
  exits.set(node, outer)
  return outer
}
