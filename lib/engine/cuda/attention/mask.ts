import type { RunNode } from '../../../graph/index.ts'
import { whole } from '../coordinates.ts'
import { Emitter } from '../emitter.ts'
import type { Surroundings } from '../emitter.ts'
import { Parameters } from '../parameters.ts'
import type { Pointer, Storage } from '../storage.ts'
import type { Mask } from './shape.ts'

export interface WrittenMask {
  readonly mask: Mask
  /** What it reads, in the order of its declarations. */
  readonly pointers: readonly Pointer[]
}

/** The axes of a mask as the kernels name them; it is the same for all heads. */
const axes = ['b', 'h', 'i', 'j']

/** Of bool, stretched to (B, 1, T, T), what it is made of in the place of itself; `plain` is what lies in memory. */
export function writeMask(seen: RunNode, plain: ReadonlyMap<RunNode, Storage>): WrittenMask {
  const parameters = new Parameters([], (dividend, divisor) => emitter.divide(dividend, divisor))
  const emitter: Emitter = new Emitter({
    read: (node, place) => {
      const storage = plain.get(node)
      return storage && parameters.read(storage, place, node.dtype)
    },
    ...nothingElse,
  })
  const at = seen.shape.map((size, axis, { length }) => whole({ name: axes.at(axis - length)!, size, depth: 0 }))
  const value = `${emitter.value(seen, at)} ? 0.0f : -1e9f`
  const { pointers } = parameters
  return { mask: { lines: emitter.lines, value, declarations: parameters.declarations() }, pointers }
}

const refuse = (): never => {
  throw new Error('Internal error: a mask of what no kernel of attention can follow')
}
const nothingElse: Omit<Surroundings, 'read'> = { first: refuse, next: refuse, fault: refuse }
