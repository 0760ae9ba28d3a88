import { nearest } from '../util/nearest.ts'
import { toRecord } from '../util/record.ts'
import type { Tolerance } from '../util/tolerance.ts'
import type { ExecutorName, Resources, Retries, SlurmSettings } from './pipeline.ts'
import { didYouMean, someOf } from './problems.ts'
import type { Problems } from './problems.ts'
import type { SlurmSource, StageSource } from './schema.ts'
import type { Spot } from './source.ts'
import { child, entriesOf } from './tree.ts'
import type { Tree } from './tree.ts'

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400 }

export interface Settings {
  readonly resources: Resources
  readonly env: readonly string[]
  readonly timeoutSeconds: number | undefined
  readonly tolerance: Readonly<Record<string, Tolerance>>
  readonly retries: Retries
  readonly executor: ExecutorName | undefined
  readonly slurm: SlurmSettings
  readonly shards: number | undefined
}

const NO_SETTINGS: ReadonlySet<string> = new Set(['run', 'cmd', 'matrix', 'with', 'in', 'out'])

/** Of a stage that asks for nothing, all settings are those of any other such stage. */
export function asksForNothing(stage: Tree): boolean {
  for (const key of entriesOf(stage).keys()) if (!NO_SETTINGS.has(key)) return false
  return true
}

/** What a stage asks of the machine; nothing asked where the stage is not valid, which is reported elsewhere. */
export function readSettings(
  source: StageSource | undefined,
  tree: Tree | undefined,
  outputs: ReadonlyMap<string, unknown> | undefined,
  shared: SlurmSettings,
  problems: Problems,
): Settings {
  const { resources, env = [], timeout, tolerance = {}, retries = 0, executor, slurm, shards } = source ?? {}
  refuseUnknown(child(tree, 'tolerance'), outputs, problems)
  const memoryAt = child(child(tree, 'resources'), 'memory')?.at
  return {
    resources: {
      gpu: resources?.gpu ?? 0,
      cpu: resources?.cpu ?? 0,
      memory: Math.ceil(measure(resources?.memory, BYTES, '"memory"', '4GiB', memoryAt, problems) ?? 0),
    },
    env: [...new Set(env)],
    timeoutSeconds: measure(timeout, SECONDS, '"timeout"', '15m', child(tree, 'timeout')?.at, problems),
    tolerance: toRecord(Object.entries(tolerance).map(([output, given]) => [output, toleranceOf(given)] as const)),
    retries: readRetries(typeof retries === 'number' ? { times: retries } : retries, child(tree, 'retries'), problems),
    executor,
    shards,
    slurm: overShared(shared, readSlurm(slurm, child(tree, 'slurm'), problems)),
  }
}

/** What jobs ask of Slurm: of all stages, or of one. */
export function readSlurm(
  { time, ...asked }: SlurmSource = {},
  tree: Tree | undefined,
  problems: Problems,
): SlurmSettings {
  return { ...asked, timeSeconds: measure(time, SECONDS, '"slurm.time"', '2h', child(tree, 'time')?.at, problems) }
}

const overShared = (shared: SlurmSettings, own: SlurmSettings): SlurmSettings => ({
  ...shared,
  ...own,
  timeSeconds: own.timeSeconds ?? shared.timeSeconds,
})

type Given = number | { readonly absolute?: number; readonly relative?: number }

const toleranceOf = (given: Given): Tolerance =>
  typeof given === 'number' ? { absolute: given, relative: given } : { absolute: 0, relative: 0, ...given }

function refuseUnknown(
  tolerance: Tree | undefined,
  outputs: ReadonlyMap<string, unknown> | undefined,
  problems: Problems,
): void {
  if (outputs === undefined) return
  for (const [output, { keyAt }] of entriesOf(tolerance)) {
    if (outputs.has(output)) continue
    const known = `its outputs are ${someOf(outputs.keys())}.${didYouMean(nearest(output, outputs.keys()))}`
    problems.add('OUTPUT_UNKNOWN', keyAt, `"tolerance" names "${output}", which the stage does not make: ${known}`)
  }
}

function readRetries(
  { times = 1, backoff }: { readonly times?: number; readonly backoff?: string | number },
  tree: Tree | undefined,
  problems: Problems,
): Retries {
  const seconds = measure(backoff, SECONDS, '"backoff"', '30s', child(tree, 'backoff')?.at, problems)
  return { times, backoffSeconds: seconds ?? 1 }
}

function measure(
  value: string | number | undefined,
  units: Readonly<Record<string, number>>,
  what: string,
  example: string,
  at: Spot | undefined,
  problems: Problems,
): number | undefined {
  if (typeof value !== 'string') return value
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(value.trim()) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (factor !== undefined && Number(amount) > 0) return Number(amount) * factor
  const names = Object.keys(units).join(', ')
  problems.add(
    'VALUE_INVALID',
    at,
    `${what} must be a number with one of the units ${names}, such as ${example}, found "${value}".`,
  )
  return undefined
}
