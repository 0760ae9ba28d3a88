import { dirname, relative } from 'node:path'
import { reproductions } from '../../pipeline/reproductions.ts'
import { keptSources } from '../../pipeline/sources/care.ts'
import { isFree, measureStore } from '../../pipeline/usage.ts'
import type { ResultUsage, StoreUsage } from '../../pipeline/usage.ts'
import { size, table } from '../format.ts'
import { write, writeJson } from '../output.ts'
import { storeHere } from '../store.ts'
import { style } from '../style.ts'
import { widthOf } from '../wrap.ts'

const NEEDS = ['current', 'pinned', 'tagged', 'running', 'part', 'recorded'] as const

/** `pipeline du`: what the results take, and who needs them. */
export function du(options: { json?: boolean }): number {
  const { root, store } = storeHere()
  const usage = measureStore(root, store)
  const reproduced = reproductions(store)
  const sum = (found: readonly { readonly bytes: number }[]): number => found.reduce((all, { bytes }) => all + bytes, 0)
  const sums = { ...sumsOf(usage), reproducedBytes: sum(reproduced), sourcesBytes: sum(keptSources(root)) }
  if (options.json === true) writeJson({ folder: store.root, ...usage, ...sums })
  else write(words(usage, sums, relative(root, store.root)))
  return 0
}

/** Bytes of the results; one that two need is in both sums. */
interface Sums {
  readonly needed: Readonly<Record<(typeof NEEDS)[number], number>>
  readonly freeBytes: number
  /** What reproductions have beside the store. */
  readonly reproducedBytes: number
  /** Copies of what no stage makes, beside the records of experiments. */
  readonly sourcesBytes: number
}

function sumsOf({ stages }: StoreUsage): Omit<Sums, 'reproducedBytes' | 'sourcesBytes'> {
  const results = stages.flatMap((stage) => stage.results)
  const sum = (belongs: (result: ResultUsage) => boolean): number =>
    results.filter(belongs).reduce((all, { bytes }) => all + bytes, 0)
  const needed = NEEDS.map((need) => [need, sum(({ needs }) => needs.includes(need))] as const)
  return {
    needed: Object.fromEntries(needed) as Sums['needed'],
    freeBytes: sum(isFree),
  }
}

function words(
  { bytes, asideBytes, stages }: StoreUsage,
  { needed, freeBytes, reproducedBytes, sourcesBytes }: Sums,
  folder: string,
): string {
  const rows = stages.flatMap((stage) => [
    [stage.stage, size(stage.bytes), '', ''],
    ...stage.results.map((result) => [
      `  ${result.key.slice(0, 16)}`,
      size(result.bytes),
      new Date(result.usedAt).toISOString().slice(0, 10),
      [...result.needs, ...(isFree(result) ? ['free'] : [])].join(', '),
    ]),
  ])
  const sums: [string, number, string][] = [
    ['current', needed.current, 'linked in artifacts'],
    ['pinned', needed.pinned, 'of pinned experiments'],
    ['tagged', needed.tagged, 'of tagged experiments'],
    ['running', needed.running, 'of runs that live'],
    ['part', needed.part, 'of results in shards that are not all made, for 7 days'],
    ['recorded', needed.recorded, 'of experiments that are neither pinned nor tagged'],
    ['free', freeBytes, 'what `pipeline gc` removes; what is recorded as well, only with --age or --bytes'],
    ['aside', asideBytes, `moved to ${folder}/.aside; yours to remove`],
    ['all', bytes, folder],
    [
      'reproduced',
      reproducedBytes,
      `${dirname(folder)}/.reproduce-*: those that run, and for 7 days what failed or differed`,
    ],
    ['sources', sourcesBytes, `${dirname(folder)}/experiments/.sources: what experiments read that no stage makes`],
  ]
  const summary = table(
    sums.map(([name, count, what]) => [name, size(count), what]),
    widthOf(process.stdout),
  )
  return stages.length === 0 && reproducedBytes + sourcesBytes === 0
    ? 'There are no results here yet.'
    : `${table(rows)}\n\n${style('bold', 'Sums')}\n${summary}`
}
