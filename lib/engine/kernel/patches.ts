import type { Graph, Node, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'

/** State of which an update replaces a part: that part alone is computed, and written where it belongs. */
export interface Patch {
  readonly name: string
  readonly node: Node<'dynamicUpdateSlice'>
  /** Outputs of what is left of the graph: the part, and where it starts. */
  readonly part: string
  readonly start: string
}

/**
 * Cuts off the updates that replace a part of the state that they update (a cache that grows by a token): a runtime would
 * hand all of the new state out as a fresh copy.
 */
export function splitPatches(graph: Graph): { readonly rest: Graph; readonly patches: readonly Patch[] } {
  const values = [...graph.outputs.values(), ...graph.updates.values()]
  const uses = [...graph.nodes.flatMap(({ inputs }) => inputs), ...values]
  const patches: Patch[] = []
  for (const [name, node] of graph.updates) {
    if (node.op !== 'dynamicUpdateSlice' || uses.filter((one) => one === node).length > 1) continue
    const [x] = node.inputs
    if (x?.op !== 'state' || x.attributes.name !== name) continue
    patches.push({ name, node, part: `patch:${name}`, start: `start:${name}` })
  }
  const cut = new Set<RunNode>(patches.map(({ node }) => node))
  const taps = patches.flatMap(({ node, part, start }): [string, RunNode][] => [
    [part, node.inputs[1] as RunNode],
    [start, node.inputs[2] as RunNode],
  ])
  const rest = {
    ...graph,
    nodes: graph.nodes.filter((node) => !cut.has(node)),
    outputs: new Map([...graph.outputs, ...taps]),
    updates: new Map([...graph.updates].filter(([, node]) => !cut.has(node))),
  }
  return { rest, patches }
}

type Numbers = Float32Array | Int32Array

/** Writes the part into the state's array, row by row of the axes before. Throws where it does not fit in. */
export function applyPatch({ name, node }: Patch, state: Numbers, part: Numbers, start: number): void {
  const { axis } = node.attributes
  const [whole, length] = [node.shape[axis]!, node.inputs[1]!.shape[axis]!]
  if (start < 0 || start + length > whole) {
    throw new Error(`Internal error: a part of ${length} from ${start} on does not fit in "${name}" of ${whole}`)
  }
  const inner = sizeOf(node.shape.slice(axis + 1))
  for (let row = 0; row * length * inner < part.length; row++) {
    state.set(part.subarray(row * length * inner, (row + 1) * length * inner), (row * whole + start) * inner)
  }
}
