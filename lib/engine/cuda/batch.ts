import type { Call } from './plan.ts'
import { postponed } from './postpone.ts'
import { bytesOf } from './storage.ts'
import type { Storage } from './storage.ts'
import { conflict, usesOf } from './uses.ts'
import type { Uses } from './uses.ts'

/** That one launch takes: 4 KiB of arguments. */
const mostPointers = 512
/** Bytes that may be there longer than they had to. */
const small = 2 ** 19

/**
 * Launches of the same kernel that do not need each other become one, of as many blocks: a card takes microseconds to
 * begin each. First the small ones wait for what needs them, then others for a later one of the same kernel, and at last
 * those that may go with an earlier one.
 */
export function batched(calls: readonly Call[]): Call[] {
  const units = postponed(calls, kernelOf).map((call): Unit => ({ calls: [call], ...usesOf(call) }))
  const waited = gathered(units.toReversed(), areReadLater).toReversed()
  const inOrder = waited.map((unit) => ({ ...unit, calls: unit.calls.toReversed() }))
  return gathered(inOrder, areSmallResults).map(({ calls: equal }) => joined(equal))
}

/** Calls that become one. */
interface Unit extends Uses {
  readonly calls: readonly Call[]
}

/** Whether a unit may move to the last of `before`: what it reads or makes is then in memory for another time. */
type MayMove = (unit: Unit, before: readonly Unit[]) => boolean

/** Each unit with the last one of the same kernel that it may move to. */
function gathered(units: readonly Unit[], mayMove: MayMove): Unit[] {
  const found: Unit[] = []
  const lastOf = new Map<string, number>()
  for (const unit of units) {
    const kernel = kernelOf(unit.calls[0]!)
    const at = kernel === undefined ? undefined : lastOf.get(kernel)
    const other = at === undefined ? undefined : found[at]!
    const isOne =
      other &&
      fits(unit, other) &&
      found.slice(at).every((one) => !conflict(one, unit)) &&
      mayMove(unit, found.slice(0, at! + 1))
    if (isOne) found[at!] = together(other, unit)
    else if (kernel !== undefined) lastOf.set(kernel, found.push(unit) - 1)
    else found.push(unit)
  }
  return found
}

/** The kernel and its blocks, of which its text need not tell, where it says what it writes: else nothing is known of it. */
function kernelOf(call: Call): string | undefined {
  if (call.kind !== 'launch' || !call.source.writes) return undefined
  const { text, grid } = call.source
  return `${grid.blocks[0]} ${text}`
}

const pointersOf = ({ calls }: Unit): number =>
  calls.reduce((sum, call) => sum + (call.kind === 'launch' ? call.source.pointers.length : 0), 0)

const fits = (a: Unit, b: Unit): boolean => pointersOf(a) + pointersOf(b) <= mostPointers

const together = (a: Unit, b: Unit): Unit => ({
  calls: [...a.calls, ...b.calls],
  reads: new Set([...a.reads, ...b.reads]),
  writes: new Set([...a.writes, ...b.writes]),
})

const isSmall = (storage: Storage): boolean => storage.place.kind !== 'temporary' || bytesOf(storage) <= small

/** Of what is read, in reverse order: it is there no longer than it is for others. */
const areReadLater: MayMove = ({ reads, writes }, later) =>
  [...reads].every(
    (storage) =>
      isSmall(storage) || writes.has(storage) || later.some((one) => one.reads.has(storage) || one.writes.has(storage)),
  )

const areSmallResults: MayMove = ({ writes }) => [...writes].every(isSmall)

/** One launch, whose blocks find by their number whose pointers are theirs. */
function joined(calls: readonly Call[]): Call {
  const launches = calls.filter((call) => call.kind === 'launch')
  const [first] = launches
  if (!first || launches.length === 1) return calls[0]!
  const { text, pointers, grid } = first.source
  const [blocks] = grid.blocks
  const count = launches.length
  return {
    kind: 'launch',
    nodes: launches.flatMap(({ nodes }) => nodes),
    source: {
      text: manyOf(text, blocks, count),
      pointers: pointers.flatMap((_, i) => launches.map(({ source }) => source.pointers[i]!)),
      grid: { ...grid, blocks: [blocks * count, 1, 1] },
      writes: new Set(launches.flatMap(({ source }) => [...source.writes!])),
    },
  }
}

function manyOf(text: string, blocks: number, count: number): string {
  const [head, ...body] = text.split('\n') as [string, ...string[]]
  const [, before, list] = /^(.* NAME)\((.*)\) \{$/.exec(head)!
  const parameters = list!.split(', ').map((one) => /^(.*\*)(?: __restrict__)? (p\d+)$/.exec(one)!)
  return [
    `struct NAME_pointers { ${parameters.map(([, type, name]) => `${type!} ${name!}[${count}];`).join(' ')} };`,
    `${before!}(const __grid_constant__ NAME_pointers all) {`,
    `  const unsigned which = blockIdx.x / ${blocks}, block = blockIdx.x % ${blocks};`,
    ...list!.split(', ').map((one, i) => `  ${one} = all.${parameters[i]![2]!}[which];`),
    ...body.map((line) => line.replaceAll('blockIdx.x', 'block')),
  ].join('\n')
}
