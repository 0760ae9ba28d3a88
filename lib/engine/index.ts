import { Failure } from '../util/failure.ts'
import type { Engine } from './engine.ts'
import { engineKinds } from './kinds.ts'
import type { Kind } from './kinds.ts'
import type { Precision } from './precision.ts'

export type { Engine, Feed, Feeds, Memory, Program, TensorValue } from './engine.ts'
export { precisionProperty } from './precision.ts'
export type { Precision } from './precision.ts'

interface EngineChoice {
  /** `auto` or an engine's name. */
  readonly name: string
  readonly threads: number
  /** fp32. */
  readonly precision?: Precision
}

/**
 * Opens an engine by name; `auto` is the fastest that works here in this precision. Throws Failure ENGINE_UNKNOWN,
 * ENGINE_PRECISION or ENGINE_BROKEN, which name those that there are.
 */
export async function openEngine({ name, threads, precision = 'fp32' }: EngineChoice): Promise<Engine> {
  if (name === 'auto') return openBest(threads, precision)
  const kind = engineKinds.find((one) => one.name === name)
  if (!kind) throw new Failure('ENGINE_UNKNOWN', `"${name}" is no engine: expected ${names()}`)
  if (kind.precisions.includes(precision)) return open(kind, threads, precision)
  const able = engineKinds.filter((one) => one.precisions.includes(precision)).map((one) => one.name)
  const message = `the engine "${name}" computes in ${kind.precisions.join(', ')}, and \`precision\` is ${precision}: choose the engine ${able.join(' or ')}, or another precision`
  throw new Failure('ENGINE_PRECISION', message)
}

async function openBest(threads: number, precision: Precision): Promise<Engine> {
  const failures: string[] = []
  for (const kind of engineKinds) {
    if (!kind.precisions.includes(precision) || !(await suits(kind))) continue
    try {
      return await kind.open(threads, precision)
    } catch (cause) {
      failures.push(`${kind.name}: ${reasonOf(cause)}`)
    }
  }
  const advice = precision === 'fp32' ? '' : '; with `precision: fp32` the CPU would do'
  const message = `no engine works here in ${precision}: ${failures.join('; ')}${advice}`
  throw new Failure('ENGINE_BROKEN', message, { exitCode: 1 })
}

export const suits = async ({ suitsAuto }: Kind): Promise<boolean> => (await suitsAuto?.()) ?? true

async function open(kind: Kind, threads: number, precision: Precision): Promise<Engine> {
  try {
    return await kind.open(threads, precision)
  } catch (cause) {
    if (cause instanceof Failure && cause.code === 'ENGINE_PRECISION') throw cause
    const message = `the engine "${kind.name}" does not work here: ${reasonOf(cause)}; \`--engine auto\` takes the fastest that does, and \`pipeline doctor\` says which do`
    throw new Failure('ENGINE_BROKEN', message, { exitCode: 1, cause })
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const names = (): string => ['auto', ...engineKinds.map(({ name }) => name)].join(', ')
