import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { REST } from '../figures.ts'
import type { Figure, Reach, Spread } from '../figures.ts'
import { engineTable } from './engines.ts'
import { markdownTable, NONE } from './markdown.ts'
import { readJson } from './read.ts'

/** What `keep` of bench/figures.ts writes for a machine, by the bench's name. */
export type Benches = Readonly<Record<string, { readonly machine: string; readonly figures: readonly Figure[] }>>

/** The files of all machines; what else lies in bench/results is for other sections. */
export function readBenches(folder: string): readonly Benches[] {
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  return names
    .filter((name) => name.endsWith('.json') && !name.endsWith('.metrics.json') && name !== 'seeds.json')
    .map((name) => readJson(join(folder, name)) as Benches)
}

/** A table a machine; engines side by side have one more, and faults have a section of their own. */
export const speedSection = (machines: readonly Benches[]): string =>
  machines.map(ofMachine).filter(Boolean).join('\n\n')

function ofMachine(benches: Benches): string {
  const all = Object.entries(benches).filter(([bench]) => bench !== 'faults')
  if (all.length === 0) return ''
  const sorted = all.filter(([bench]) => bench !== 'backends').sort(([a], [b]) => (a < b ? -1 : 1))
  const rows = sorted.flatMap(([bench, { figures }]) => figures.map((figure) => row(bench, figure)))
  const names = [...new Set(all.map(([, { machine }]) => machine))]
  const head = ['what', 'ours', 'peer', 'ratio', 'reach', 'reached?']
  const accounts = sorted.flatMap(([bench, { figures }]) => figures.flatMap((figure) => account(bench, figure)))
  const table = sorted.length === 0 ? [] : [markdownTable(head, rows)]
  return [`On ${names.join('; ')}:`, ...table, ...accounts, ...engineTable(benches['backends'])].join('\n\n')
}

/** Both sides' parts, the largest first, side by side. */
function account(bench: string, { what, unit, peerName, parts }: Figure): string[] {
  if (!parts) return []
  const [ours, peer] = [Object.entries(parts.ours), Object.entries(parts.peer)]
  const cells = (part: readonly [string, number] | undefined): string[] =>
    part ? [part[0] === REST ? REST : `\`${part[0]}\``, short(part[1])] : ['', '']
  const rows = Array.from({ length: Math.max(ours.length, peer.length) }, (_, i) => [
    ...cells(ours[i]),
    ...cells(peer[i]),
  ])
  const head = ['ours', unit, peerName ?? 'peer', unit]
  return [`Where the ${what} of \`${bench}\` goes, as each side's own profiler sees it:`, markdownTable(head, rows)]
}

const row = (bench: string, { what, unit, ours, peer, peerName, ratio, reach, ok, spread }: Figure): string[] => [
  `\`${bench}\`: ${what}`,
  `${short(ours)} ${unit}${within(spread?.ours)}`,
  peer === null ? NONE : `${short(peer)} ${unit}${within(spread?.peer)} (${peerName ?? 'peer'})`,
  ratio === null ? NONE : short(ratio),
  ...(isOpen(reach)
    ? [NONE, NONE]
    : [
        `${ratio === null ? '' : 'ratio '}${'max' in reach ? `≤ ${reach.max}` : `≥ ${reach.min}`}${ratio === null ? ` ${unit}` : ''}`,
        ok ? 'yes' : 'no',
      ]),
]

/** Measured, and nothing is to be reached. */
const isOpen = (reach: Reach): boolean => 'min' in reach && reach.min === 0

const within = (range: Spread | undefined): string => (range ? ` [${range.map(short).join('–')}]` : '')

/** Three digits, without the exponent that toPrecision gives large numbers. */
const short = (value: number): string => String(Number(value.toPrecision(3)))
