import type { Call } from './plan.ts'
import type { Storage } from './storage.ts'

/** What a call, or several, read and write. */
export interface Uses {
  readonly reads: ReadonlySet<Storage>
  readonly writes: ReadonlySet<Storage>
}

export function usesOf(call: Call): Uses {
  switch (call.kind) {
    case 'launch': {
      const all = new Set(call.source.pointers.map(({ storage }) => storage))
      return { reads: all, writes: call.source.writes ?? all }
    }
    case 'multiply':
      return {
        reads: new Set([call.a, call.b, call.c, ...(call.bias ? [call.bias] : [])].map(({ storage }) => storage)),
        writes: new Set([call.c.storage]),
      }
    case 'clear':
    case 'clear pads':
      return { reads: new Set(), writes: new Set([call.storage]) }
    case 'copy':
      return { reads: new Set([call.from.storage]), writes: new Set([call.to.storage]) }
  }
}

/** Whether two must stay in their order: one writes what the other reads or writes. */
export const conflict = (a: Uses, b: Uses): boolean =>
  meets(a.writes, b.reads) || meets(a.writes, b.writes) || meets(b.writes, a.reads)

const meets = (a: ReadonlySet<Storage>, b: ReadonlySet<Storage>): boolean => [...a].some((one) => b.has(one))
