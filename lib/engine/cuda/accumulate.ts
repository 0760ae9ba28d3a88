import type { Graph, RunNode } from '../../graph/index.ts'
import { sameShape } from '../../graph/index.ts'
import type { Product } from './view.ts'

/** A product that is added to what lies where it is written. */
export interface Accumulation {
  readonly product: Product
  readonly onto: RunNode
}

/**
 * Sums of products of which nothing but the sum is used (the gradient of a matrix that is used in chunks): each is added
 * to those before it as it is computed, in one place.
 */
export function accumulations(graph: Graph): ReadonlyMap<RunNode, Accumulation> {
  const users = new Map<RunNode, number>()
  const uses = [...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.values(), ...graph.updates.values()]
  for (const node of uses as readonly RunNode[]) users.set(node, (users.get(node) ?? 0) + 1)
  const found = new Map<RunNode, Accumulation>()
  const isFree = (node: RunNode): boolean => users.get(node) === 1 && (node.op === 'matmul' || found.has(node))
  for (const node of graph.nodes) {
    if (node.op !== 'add') continue
    const [x, y] = node.inputs as unknown as readonly [RunNode, RunNode]
    if (!isFree(x) || !isFree(y) || !sameShape(x.shape, y.shape)) continue
    if (y.op === 'matmul') found.set(node, { product: y, onto: x })
    else if (x.op === 'matmul') found.set(node, { product: x, onto: y })
  }
  return found
}
