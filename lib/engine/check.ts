import type { Graph, RunNode } from '../graph/index.ts'
import { describe, sameShape } from '../graph/index.ts'
import type { Feed, Feeds } from './engine.ts'

/** Throws where a feed is missing, surplus, or of another shape or type than the graph says. */
export function checkFeeds(graph: Graph, feeds: Feeds): void {
  for (const [name, node] of graph.inputs) {
    const value = feeds[name]
    if (!value) throw new Error(`Internal error: the feed "${name}", ${describe(node)}, is missing`)
    checkValue('feed', name, node, value)
  }
  for (const name of Object.keys(feeds)) {
    if (!graph.inputs.has(name)) throw new Error(`Internal error: the graph has no input "${name}"`)
  }
}

/** Throws where a value is of another shape or type than its node. `bool` travels as int32. */
export function checkValue(kind: string, name: string, node: RunNode, { shape, data }: Feed): void {
  checkKind(kind, name, node, { shape, dtype: dtypeOf(data) })
}

function dtypeOf(data: Feed['data']): Kind['dtype'] {
  if (data instanceof Uint16Array) return 'float16'
  return data instanceof Float32Array ? 'float32' : 'int32'
}

interface Kind {
  readonly shape: readonly number[]
  readonly dtype: 'float32' | 'int32' | 'float16'
}

/** The same of a value that lies elsewhere. */
export function checkKind(kind: string, name: string, node: RunNode, found: Kind): void {
  if (found.dtype === (node.dtype === 'bool' ? 'int32' : node.dtype) && sameShape(found.shape, node.shape)) return
  throw new Error(`Internal error: the ${kind} "${name}" is ${describe(found)}, expected ${describe(node)}`)
}
