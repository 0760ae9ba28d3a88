import type { Graph, RunNode } from '../../graph/index.ts'
import { sameShape } from '../../graph/index.ts'
import type { Product } from './view.ts'

/** A product that is added to what lies where it is written. */
export interface Accumulation {
  readonly product: Product
  readonly onto: RunNode
}

export type Accumulations = ReadonlyMap<RunNode, Accumulation>

/**
 * Sums of products (the gradient of a matrix that is used in chunks): each is added to those before it as it is computed,
 * in one place. What else reads those before it has to be one of the nodes `mayRead` allows, given the product that
 * takes their place.
 */
export function accumulations(
  graph: Graph,
  mayRead: (readers: readonly RunNode[], product: Product) => boolean = (readers) => readers.length === 0,
): Accumulations {
  const results = new Set<unknown>([...graph.outputs.values(), ...graph.updates.values()])
  const readers = readersOf(graph)
  const found = new Map<RunNode, Accumulation>()
  const isFree = (node: RunNode, product: Product, sum: RunNode): boolean =>
    (node.op === 'matmul' || found.has(node)) &&
    !results.has(node) &&
    mayRead(
      readers.get(node)!.filter((reader) => reader !== sum),
      product,
    )
  for (const sum of graph.nodes) {
    if (sum.op !== 'add') continue
    const [x, y] = sum.inputs as unknown as readonly [RunNode, RunNode]
    if (x === y || !sameShape(x.shape, y.shape)) continue
    const pairs = [
      [x, y],
      [y, x],
    ] as const
    for (const [onto, product] of pairs) {
      if (found.has(sum) || product.op !== 'matmul' || readers.get(product)!.length > 1 || results.has(product))
        continue
      if (isFree(onto, product, sum)) found.set(sum, { product, onto })
    }
  }
  return found
}

/** Who takes each node; one that takes it twice stands there twice. */
export function readersOf(graph: Graph): ReadonlyMap<RunNode, readonly RunNode[]> {
  const readers = new Map<RunNode, RunNode[]>(graph.nodes.map((node) => [node, []]))
  for (const node of graph.nodes) for (const input of node.inputs as readonly RunNode[]) readers.get(input)?.push(node)
  return readers
}
