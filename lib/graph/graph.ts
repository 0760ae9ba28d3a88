import { apply } from './apply.ts'
import { rewrite } from './rewrite.ts'
import { describe, sameShape } from './tensor.ts'
import type { OpName, Tensor } from './tensor.ts'
import { memoryOrder, topological } from './topological.ts'

/** The ops that a finished graph holds: what only concerns derivatives is gone. */
export type RunOp = Exclude<OpName, 'stopGradient' | 'withGradient' | 'recomputed'>
/** Put in by the engines that have kernels for them. */
export type KernelOp = 'toHalf' | 'attention' | 'attentionLogSum' | 'attentionGradient'
/** Those that every engine computes. */
export type PlainOp = Exclude<RunOp, KernelOp>
/** A node of a finished graph. */
export type RunNode = Extract<Tensor, { op: RunOp }>

/** What an engine compiles. Its tensors were rewritten: they are others than those that it was made of. */
export interface Graph {
  /** Inputs before users, each expression once, in an order that frees intermediates early. */
  readonly nodes: readonly RunNode[]
  readonly inputs: ReadonlyMap<string, RunNode>
  /** The state that it reads. */
  readonly state: ReadonlyMap<string, RunNode>
  readonly outputs: ReadonlyMap<string, RunNode>
  /** The values that state has after the run. A name that is not in `state` is written only. */
  readonly updates: ReadonlyMap<string, RunNode>
}

export interface GraphParts {
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly updates?: Readonly<Record<string, Tensor>>
}

/** Simplifies, finds common subexpressions, and orders. Throws where a name stands for two different things. */
export function graph({ outputs, updates = {} }: GraphParts): Graph {
  const roots = [...Object.values(outputs), ...Object.values(updates)]
  const originals = topological(roots, valueInputs)
  const simpler = simplify(originals)
  const final = (node: Tensor): Tensor => simpler.get(node)!
  const newRoots = byHeight(roots.map(final), [...new Set(simpler.values())])
  const nodes = memoryOrder(newRoots).map(asRun)
  const rename = (parts: Readonly<Record<string, Tensor>>): ReadonlyMap<string, RunNode> =>
    new Map(Object.entries(parts).map(([name, node]) => [name, asRun(final(node))]))
  const result = {
    nodes,
    inputs: named(nodes, 'input'),
    state: named(nodes, 'state'),
    outputs: rename(outputs),
    updates: rename(updates),
  }
  checkUpdates(result)
  return result
}

/** Of what only a derivative asks for, the value alone is needed. */
const valueInputs = (node: Tensor): readonly Tensor[] =>
  isForDerivatives(node) ? node.inputs.slice(0, 1) : node.inputs

const isForDerivatives = ({ op }: Tensor): boolean => op === 'withGradient' || op === 'recomputed'

function simplify(originals: readonly Tensor[]): Map<Tensor, Tensor> {
  const unique = uniquely()
  const simpler = new Map<Tensor, Tensor>()
  for (const node of originals) {
    const inputs = valueInputs(node).map((from) => simpler.get(from)!)
    const same = inputs.length === node.inputs.length && inputs.every((from, i) => from === node.inputs[i])
    const rebuilt = isForDerivatives(node) ? inputs[0]! : same ? node : apply(node.op, inputs, node.attributes)
    simpler.set(node, unique(rewrite(rebuilt)))
  }
  return simpler
}

/** The one node for each expression, whoever wrote it down. */
function uniquely(): (node: Tensor) => Tensor {
  const known = new Map<string, Tensor>()
  const ids = new Map<object, number>()
  const idOf = (one: object): number => {
    const id = ids.get(one) ?? ids.size
    ids.set(one, id)
    return id
  }
  const unique = (node: Tensor): Tensor => {
    if (ids.has(node)) return node
    const inputs = node.inputs.map(unique) // a rewrite may have made new ones: a few levels, never a deep graph
    const settled = inputs.every((x, i) => x === node.inputs[i]) ? node : apply(node.op, inputs, node.attributes)
    const key = `${settled.op}(${inputs.map(idOf).join()})${attributesKey(settled, idOf)}`
    const found = known.get(key) ?? settled
    known.set(key, found)
    idOf(found)
    return found
  }
  return unique
}

function attributesKey(node: Tensor, idOf: (one: object) => number): string {
  if (node.op !== 'constant') return JSON.stringify(node.attributes)
  const { data, shape, dtype } = node.attributes
  const content = data.length <= 64 ? [...data].map((x) => (Object.is(x, -0) ? '-0' : String(x))).join() : idOf(data)
  return `${dtype}[${shape.join()}]${content}`
}

/** What is ready first comes first: the last layer's gradients before those of the first. */
function byHeight(roots: readonly Tensor[], originals: readonly Tensor[]): Tensor[] {
  const heights = new Map<Tensor, number>()
  for (const node of topological([...roots, ...originals])) {
    heights.set(node, 1 + Math.max(0, ...node.inputs.map((from) => heights.get(from)!)))
  }
  return [...roots].sort((a, b) => heights.get(a)! - heights.get(b)!)
}

function asRun(node: Tensor): RunNode {
  if (node.op === 'stopGradient' || node.op === 'withGradient' || node.op === 'recomputed')
    throw new Error(`Internal error: "${node.op}" is left`)
  return node
}

function named(nodes: readonly RunNode[], op: 'input' | 'state'): Map<string, RunNode> {
  const found = new Map<string, RunNode>()
  for (const node of nodes) {
    if (node.op !== op) continue
    const { name } = node.attributes
    const other = found.get(name)
    if (other) throw new Error(`Internal error: two of ${op} "${name}": ${describe(other)} and ${describe(node)}`)
    found.set(name, node)
  }
  return found
}

function checkUpdates({ state, updates }: Pick<Graph, 'state' | 'updates'>): void {
  for (const [name, value] of updates) {
    const before = state.get(name)
    if (before && (before.dtype !== value.dtype || !sameShape(before.shape, value.shape))) {
      throw new Error(`Internal error: the update of "${name}" is ${describe(value)}, the state ${describe(before)}`)
    }
  }
}
