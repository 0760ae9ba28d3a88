import type { Graph, OpName, RunNode } from '../../graph/index.ts'
import { sameShape, sizeOf } from '../../graph/index.ts'

/** The ops that a kernel computes; their operands are of the kernel's shape, or single numbers. */
const arithmetic = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'neg', 'abs', 'sqrt', 'square'] as const
export const kernelOps = [...arithmetic, 'broadcastTo'] as const
const inKernels: ReadonlySet<OpName> = new Set<OpName>(kernelOps)

/** State that is updated element by element, in place: new values from the old ones and what the head computed. */
export interface Tail {
  readonly size: number
  /** Inputs before users. */
  readonly nodes: readonly RunNode[]
  /** Of the tail's size, or single numbers. */
  readonly leaves: readonly RunNode[]
  readonly updates: readonly (readonly [string, RunNode])[]
}

export interface Split {
  /** What is left for the runtime: its outputs are the graph's, and the `taps` that the tails read. */
  readonly head: Graph
  readonly taps: ReadonlyMap<RunNode, string>
  readonly tails: readonly Tail[]
}

/**
 * Cuts off the elementwise ends of a graph's state updates (an optimizer's step). A runtime that goes op by op reads and
 * writes whole tensors a dozen times there, and hands every new value out as a fresh copy.
 */
export function splitTails(graph: Graph): Split {
  const members = tailMembers(graph)
  const updates = [...graph.updates].filter(([, node]) => members.has(node))
  const tails = together(updates.map((update) => tailOf([update], members, graph.nodes)))
  const taps = new Map<RunNode, string>()
  for (const leaf of tails.flatMap(({ leaves }) => leaves)) {
    const known = taps.has(leaf) || ['state', 'input'].includes(leaf.op) || isNumber(leaf)
    if (!known) taps.set(leaf, `tap:${taps.size}`)
  }
  return { head: headOf(graph, members, taps), taps, tails: tails.map((tail) => ordered(tail, graph.nodes)) }
}

/** A constant scalar: written into the kernel. */
export const isNumber = (node: RunNode): boolean => node.op === 'constant' && sizeOf(node.shape) === 1

/** Nodes that only updates of their own shape need. */
function tailMembers({ nodes, outputs, updates }: Graph): Set<RunNode> {
  const users = new Map<RunNode, RunNode[]>()
  for (const node of nodes) for (const from of inputsOf(node)) users.set(from, [...(users.get(from) ?? []), node])
  const roots = new Set(updates.values())
  const shown = new Set(outputs.values())
  const members = new Set<RunNode>()
  for (const node of [...nodes].reverse()) {
    const mine = users.get(node) ?? []
    const wanted = roots.has(node) || mine.length > 0
    const onlyHere = mine.every((user) => members.has(user) && sameShape(user.shape, node.shape))
    if (wanted && onlyHere && !shown.has(node) && fits(node)) members.add(node)
  }
  return members
}

function fits(node: RunNode): boolean {
  const operand = (x: RunNode): boolean => sizeOf(x.shape) === 1 || sameShape(x.shape, node.shape)
  if (node.op === 'broadcastTo') return node.dtype === 'float32' && inputsOf(node).every(isNumber)
  // rows that are added up go onto the other summand, in the head
  if (inputsOf(node).some(({ op }) => op === 'scatterAdd')) return false
  return inKernels.has(node.op) && node.dtype === 'float32' && inputsOf(node).every(operand)
}

const inputsOf = (node: RunNode): readonly RunNode[] => node.inputs as readonly RunNode[]

function tailOf(updates: Tail['updates'], members: ReadonlySet<RunNode>, order: readonly RunNode[]): Tail {
  const size = sizeOf(updates[0]![1].shape)
  const nodes = new Set<RunNode>()
  const leaves = new Set<RunNode>()
  const stack = updates.map(([, node]) => node)
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (nodes.has(node)) continue
    nodes.add(node)
    for (const from of inputsOf(node)) {
      if (members.has(from)) stack.push(from)
      else leaves.add(from)
    }
  }
  return ordered({ size, nodes: [...nodes], leaves: [...leaves], updates }, order)
}

/** Joins tails that read or write the same state: in place, each would see what the other wrote. */
function together(tails: readonly Tail[]): Tail[] {
  const joined: Tail[] = []
  const owner = new Map<string, number>()
  for (const tail of tails) {
    const names = statesOf(tail)
    const others = [...new Set(names.flatMap((name) => owner.get(name) ?? []))].sort((a, b) => a - b)
    const target = others[0] ?? joined.length
    const parts = [...others.map((index) => joined[index]!), tail]
    joined[target] = {
      size: tail.size,
      nodes: [...new Set(parts.flatMap(({ nodes }) => nodes))],
      leaves: [...new Set(parts.flatMap(({ leaves }) => leaves))],
      updates: parts.flatMap(({ updates }) => updates),
    }
    for (const index of others.slice(1)) joined[index] = { size: 0, nodes: [], leaves: [], updates: [] }
    for (const name of statesOf(joined[target])) owner.set(name, target)
  }
  return joined.filter(({ updates }) => updates.length > 0)
}

const statesOf = ({ leaves, updates }: Tail): string[] => [
  ...leaves.flatMap((leaf) => (leaf.op === 'state' ? [leaf.attributes.name] : [])),
  ...updates.map(([name]) => name),
]

function ordered(tail: Tail, order: readonly RunNode[]): Tail {
  const places = new Map(order.map((node, i) => [node, i]))
  const byPlace = (a: RunNode, b: RunNode): number => places.get(a)! - places.get(b)!
  return { ...tail, nodes: [...tail.nodes].sort(byPlace), leaves: [...tail.leaves].sort(byPlace) }
}

function headOf(graph: Graph, members: ReadonlySet<RunNode>, taps: ReadonlyMap<RunNode, string>): Graph {
  const updates = new Map([...graph.updates].filter(([, node]) => !members.has(node)))
  const outputs = new Map([...graph.outputs, ...[...taps].map(([node, name]): [string, RunNode] => [name, node])])
  const needed = new Set<RunNode>([...outputs.values(), ...updates.values()])
  const nodes = [...graph.nodes].reverse().filter((node) => {
    if (needed.has(node)) for (const from of inputsOf(node)) needed.add(from)
    return needed.has(node)
  })
  const still = (leaves: ReadonlyMap<string, RunNode>): Map<string, RunNode> =>
    new Map([...leaves].filter(([, node]) => needed.has(node)))
  return { ...graph, nodes: nodes.reverse(), inputs: still(graph.inputs), state: still(graph.state), outputs, updates }
}
