import type { Graph, RunNode } from '../graph/index.ts'
import type { Feeds } from './engine.ts'

/** A fed input whose entries name places: the greatest that there is. */
interface Places {
  readonly input: string
  readonly op: string
  readonly last: number
}

/** Ids of rows and starts of parts that come straight from a feed. A GPU takes those that are out of range in silence. */
export function fedPlaces({ nodes }: Graph): readonly Places[] {
  return nodes.flatMap((node): Places[] => {
    if (node.op === 'gather') return placesOf(node.op, node.inputs[1] as RunNode, node.inputs[0]!.shape[0]! - 1)
    if (node.op !== 'dynamicUpdateSlice') return []
    const { axis } = node.attributes
    return placesOf(node.op, node.inputs[2] as RunNode, node.shape[axis]! - node.inputs[1]!.shape[axis]!)
  })
}

function placesOf(op: string, node: RunNode, last: number): Places[] {
  const source = node.op === 'reshape' ? (node.inputs[0] as RunNode) : node
  return source.op === 'input' ? [{ input: source.attributes.name, op, last }] : []
}

/** Throws where one is out of range. */
export function checkPlaces(all: readonly Places[], feeds: Feeds): void {
  for (const { input, op, last } of all) {
    const wrong = feeds[input]!.data.find((place) => place < 0 || place > last)
    if (wrong === undefined) continue
    throw new Error(`Internal error: the feed "${input}" holds ${wrong}, a place for "${op}" from 0 to ${last}`)
  }
}
