import type { Call } from './plan.ts'
import { bytesOf } from './storage.ts'
import type { Storage } from './storage.ts'
import { conflict, usesOf } from './uses.ts'
import type { Uses } from './uses.ts'

/** Bytes that a launch may keep in memory while it waits. */
const mostHeld = 2 * 2 ** 20
/** Bytes that it touches: with more, its work takes longer than its launch. */
const mostTouched = 32 * 2 ** 20

interface Unit extends Uses {
  readonly call: Call
  /** Of those that may become one. Undefined where it does not wait. */
  readonly kernel: string | undefined
}

/**
 * The calls with small launches as late as may be, those of one kernel next to each other: the second stages of sums, and
 * what is made of them, gather until something needs one. `kernelOf`: what launches that may become one share.
 */
export function postponed(calls: readonly Call[], kernelOf: (call: Call) => string | undefined): Call[] {
  const units = calls.map((call): Unit => ({ call, kernel: kernelOf(call), ...usesOf(call) }))
  const last = new Map(units.flatMap((unit) => [...storagesOf(unit)].map((storage) => [storage, unit] as const)))
  const done: Unit[] = []
  let waiting: readonly Unit[] = []
  for (const unit of units) {
    if (mayWait(unit, last)) {
      waiting = [...waiting, unit]
      continue
    }
    const due = dueBefore(unit, waiting, last)
    waiting = waiting.filter((one) => !due.has(one))
    done.push(...sideBySide([...due]), unit)
  }
  return [...done, ...sideBySide(waiting)].map(({ call }) => call)
}

type Last = ReadonlyMap<Storage, Unit>

function mayWait(unit: Unit, last: Last): boolean {
  const held = bytesOfAll(heldBy(unit, last, unit))
  return unit.kernel !== undefined && held <= mostHeld && bytesOfAll([...storagesOf(unit)]) <= mostTouched
}

/** What a unit reads that is of no use once `other` is done. */
const heldBy = ({ reads, writes }: Uses, last: Last, other: Unit): Storage[] =>
  [...reads].filter(
    (storage) => storage.place.kind === 'temporary' && !writes.has(storage) && last.get(storage) === other,
  )

/** Those that must go before a unit, or would keep what it is the last to use, and others of their kernels that can. */
function dueBefore(unit: Unit, waiting: readonly Unit[], last: Last): ReadonlySet<Unit> {
  const needed: Unit[] = []
  for (const one of waiting.toReversed()) {
    const isNeeded = [unit, ...needed].some((later) => conflict(one, later))
    if (isNeeded || bytesOfAll(heldBy(one, last, unit)) > mostHeld) needed.push(one)
  }
  const kernels = new Set(needed.map(({ kernel }) => kernel))
  const due = new Set<Unit>()
  const left: Unit[] = []
  for (const one of waiting) {
    if (needed.includes(one) || (kernels.has(one.kernel) && !left.some((before) => conflict(before, one)))) due.add(one)
    else left.push(one)
  }
  return due
}

/** Each as early as those before let it, and of these the ones of a kernel together. */
function sideBySide(units: readonly Unit[]): Unit[] {
  const levels = new Map<Unit, number>()
  const groups: Map<string | undefined, Unit[]>[] = []
  for (const unit of units) {
    const level = Math.max(0, ...[...levels].map(([one, at]) => (conflict(one, unit) ? at + 1 : 0)))
    levels.set(unit, level)
    const here = (groups[level] ??= new Map())
    here.set(unit.kernel, [...(here.get(unit.kernel) ?? []), unit])
  }
  return groups.flatMap((here) => [...here.values()].flat())
}

const storagesOf = ({ reads, writes }: Uses): ReadonlySet<Storage> => new Set([...reads, ...writes])

const bytesOfAll = (storages: readonly Storage[]): number => storages.reduce((sum, one) => sum + bytesOf(one), 0)
