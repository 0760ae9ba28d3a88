import type { Resources, Retries } from './pipeline.ts'
import type { Problems } from './problems.ts'
import type { StageSource } from './schema.ts'
import type { Spot } from './source.ts'
import { child } from './tree.ts'
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
  readonly retries: Retries
}

/** What a stage asks of the machine; nothing asked where the stage is not valid, which is reported elsewhere. */
export function readSettings(source: StageSource | undefined, tree: Tree, problems: Problems): Settings {
  const { resources, env = [], timeout, retries = 0 } = source ?? {}
  const memoryAt = child(child(tree, 'resources'), 'memory')?.at
  return {
    resources: {
      gpu: resources?.gpu ?? 0,
      cpu: resources?.cpu ?? 0,
      memory: Math.ceil(measure(resources?.memory, BYTES, '"memory"', '4GiB', memoryAt, problems) ?? 0),
    },
    env: [...new Set(env)],
    timeoutSeconds: measure(timeout, SECONDS, '"timeout"', '15m', child(tree, 'timeout')?.at, problems),
    retries: readRetries(typeof retries === 'number' ? { times: retries } : retries, child(tree, 'retries'), problems),
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
