import type { Graph, RunNode } from '../../graph/index.ts'
import { readersOf } from './accumulate.ts'
import type { Accumulations } from './accumulate.ts'
import type { Product } from './view.ts'

/** Whether all of some nodes are computed before a product, because it needs them. */
export function needsAll(): (nodes: readonly RunNode[], product: Product) => boolean {
  const needs = new Map<Product, ReadonlySet<RunNode>>()
  return (nodes, product) => {
    if (nodes.length === 0) return true
    const needed = needs.get(product) ?? needsOf(product)
    needs.set(product, needed)
    return nodes.every((node) => needed.has(node))
  }
}

function needsOf(product: Product): ReadonlySet<RunNode> {
  const found = new Set<RunNode>()
  const waiting = [...(product.inputs as readonly RunNode[])]
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (found.has(node)) continue
    found.add(node)
    waiting.push(...(node.inputs as readonly RunNode[]))
  }
  return found
}

/**
 * Whether what a product takes the place of is read by then: by kernels that the product needs. A node that is not in
 * memory is computed where it is read, so that its readers read in its place.
 */
export function areReadInTime(graph: Graph, sums: Accumulations, isInMemory: (node: RunNode) => boolean): boolean {
  const readers = readersOf(graph)
  const areNeeded = needsAll()
  const kernels = (node: RunNode): RunNode[] => (isInMemory(node) ? [node] : readers.get(node)!.flatMap(kernels))
  return [...sums].every(([sum, { product, onto }]) => {
    const others = readers.get(onto)!.filter((reader) => reader !== sum)
    return areNeeded(others.flatMap(kernels), product)
  })
}
