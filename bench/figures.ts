import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, hostname, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Counts } from './faults/outcome.ts'

export type Reach = { readonly max: number } | { readonly min: number }

/** The quartiles: half of what was measured lies between them. */
export type Spread = readonly [number, number]

/** One measured number beside its peer's: medians, where there were several turns. */
export interface Figure {
  readonly what: string
  readonly unit: string
  readonly ours: number
  readonly peer: number | null
  /** Of those that are medians. */
  readonly spread?: { readonly ours?: Spread; readonly peer?: Spread }
  readonly peerName: string | null
  /** ours ÷ peer; null where that is none, or 0. */
  readonly ratio: number | null
  /** What is to be reached, by the ratio, or by `ours` where there is no peer. */
  readonly reach: Reach
  readonly ok: boolean
  /** Where `ours` and `peer` go, by operation, in their unit. */
  readonly parts?: { readonly ours: Account; readonly peer: Account }
  /** What came of how many tries, where an attack is counted: `ours` and `peer` are those that went badly. */
  readonly fault?: { readonly tries: number; readonly ours: Counts; readonly peer: Counts }
  /** What of which engine, where they are measured side by side. */
  readonly engine?: { readonly name: string; readonly what: string }
}

/** Parts of a time by the name of an operation, the largest first; the small ones are the last, `REST`. */
export type Account = Readonly<Record<string, number>>
export const REST = 'the rest'

export interface Bench {
  readonly about: string
  readonly run: () => Promise<readonly Figure[]>
}

/** One value, or one of each turn. */
export type Samples = number | readonly number[]

type Measured = Pick<Figure, 'what' | 'unit' | 'reach'> & {
  readonly ours: Samples
  readonly peer?: Samples
  readonly peerName?: string
}

export function figure({ what, unit, reach, peerName, ...measured }: Measured): Figure {
  const ours = typical(measured.ours)
  const peer = measured.peer === undefined ? null : typical(measured.peer)
  const ratio = peer === null || peer === 0 ? null : ours / peer
  const value = ratio ?? ours
  const ok = 'max' in reach ? value <= reach.max : value >= reach.min
  return { what, unit, ours, peer, ...spreadOf(measured), peerName: peerName ?? null, ratio, reach, ok }
}

const typical = (samples: Samples): number => (typeof samples === 'number' ? samples : median(samples))

function spreadOf({ ours, peer }: Pick<Measured, 'ours' | 'peer'>): Pick<Figure, 'spread'> {
  const sides = {
    ...(typeof ours === 'object' && { ours: quartiles(ours) }),
    ...(typeof peer === 'object' && { peer: quartiles(peer) }),
  }
  return Object.keys(sides).length === 0 ? {} : { spread: sides }
}

/** `2 × AMD EPYC 9B14, 23 GiB, linux x64, Node 20.20.2` */
export function machine(): string {
  const { model = 'unknown CPU' } = cpus()[0] ?? {}
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} × ${model.trim()}, ${memory} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}`
}

/** Keeps the figures in `bench/results/<machine>.json`, those of other benches beside them. */
export function keep(name: string, figures: readonly Figure[]): void {
  const folder = join(import.meta.dirname, 'results')
  const file = join(folder, `${slug(machine())}.json`)
  mkdirSync(folder, { recursive: true })
  const others = read(file)
  const results = { ...others, [name]: { machine: machine(), date: new Date().toISOString(), figures } }
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}

function read(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch {
    return {} // the first result on this machine
  }
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(hostname().toLowerCase(), '')
    .replace(/[^a-z0-9]+/g, '-')

export const median = (values: readonly number[]): number => quantile(values, 0.5)

const quartiles = (values: readonly number[]): Spread => [quantile(values, 0.25), quantile(values, 0.75)]

/** Between two values as far as it lies between their ranks. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!]
  return below + (above - below) * (rank % 1)
}

/** `train-step: 251 ms [249–260], PyTorch 298 ms [296–301], ratio 0.84 (at most 0.85): reached` */
export function words({ what, unit, ours, peer, peerName, ratio, reach, ok, spread }: Figure): string {
  const told = ratio === null ? '' : `, ratio ${round(ratio)}`
  const within = (range: Spread | undefined): string => (range ? ` [${range.map(round).join('–')}]` : '')
  const beside = peer === null ? '' : `, ${peerName ?? 'peer'} ${round(peer)} ${unit}${within(spread?.peer)}${told}`
  const bound = 'max' in reach ? `at most ${reach.max}` : `at least ${reach.min}`
  return `${what}: ${round(ours)} ${unit}${within(spread?.ours)}${beside} (${bound}): ${ok ? 'reached' : 'not reached'}`
}

const round = (value: number): string => value.toPrecision(3)
