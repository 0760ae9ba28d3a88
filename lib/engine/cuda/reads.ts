import type { RunNode } from '../../graph/index.ts'
import { keyOf, unflatten } from './coordinates.ts'
import { Emitter } from './emitter.ts'
import { isReduction } from './space.ts'
import type { Space } from './space.ts'
import { formIn } from './space.ts'

/** What a kernel reads to compute a node. */
export interface Reads {
  /** Nodes in memory, and the keys of the places that are read. */
  readonly places: ReadonlyMap<RunNode, ReadonlySet<string>>
  /** scatterAdd whose rows' places are looked up. */
  readonly chains: ReadonlySet<RunNode>
}

/** What is read for each entry of a node in a kernel over `space`, given which nodes are in memory for it. */
export function readsOf(root: RunNode, space: Space, inMemory: (node: RunNode) => boolean): Reads {
  const places = new Map<RunNode, Set<string>>()
  const chains = new Set<RunNode>()
  const emitter = new Emitter({
    read: (node, place) => {
      if (!inMemory(node)) return undefined
      places.set(node, (places.get(node) ?? new Set()).add(keyOf(place)))
      return '0'
    },
    first: (node) => (chains.add(node), '0'),
    next: () => '0',
    fault: () => '0',
  })
  writeEntry(emitter, root, space)
  return { places, chains }
}

/** The C name of a root's entry; of a reduction, of the entry that is reduced. */
export function writeEntry(emitter: Emitter, root: RunNode, space: Space): string {
  if (isReduction(root)) {
    const from = root.inputs[0] as RunNode
    return emitter.value(from, unflatten(space.entry, from.shape, emitter.divide))
  }
  const place = formIn(space, root) === 'row' ? space.row : space.entry
  return emitter.value(root, unflatten(place, root.shape, emitter.divide))
}
