import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { packageRoot } from '../../lib/util/package-root.ts'
import type { Event } from '../../lib/pipeline/event.ts'
import { binOf } from '../command.ts'

const COMMAND = [process.execPath, binOf(packageRoot()), 'run', '--json']

/** CPU time in s of a whole run: the driver's, and of the commands of Slurm that it started, both user and system. */
export async function cpuOfRun(folder: string): Promise<number> {
  // a shell knows what all that it has waited for took
  const child = start(folder, ['sh', '-c', '"$@" >&2 && times', 'sh', ...COMMAND], 'ignore')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout! })) lines.push(line)
  const [code] = child.exitCode === null ? ((await once(child, 'exit')) as [number | null]) : [child.exitCode]
  if (code !== 0) throw new Error(`the run in "${folder}" ended with exit code ${code ?? 'none'}`)
  return [...lines.at(-1)!.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, min, s]) => sum + 60 * Number(min) + Number(s),
    0,
  )
}

/**
 * Seconds from the start of the command until it has said something so many times. Then it is killed, as a driver dies,
 * and its jobs stay.
 */
export async function secondsUntil(folder: string, said: (event: Event) => boolean, times = 1): Promise<number> {
  const started = performance.now()
  const child = start(folder, COMMAND, 'inherit')
  const ended = once(child, 'close')
  let heard = 0
  for await (const line of createInterface({ input: child.stdout! })) {
    if (!said(JSON.parse(line) as Event) || ++heard < times) continue
    const seconds = (performance.now() - started) / 1000
    child.kill('SIGKILL')
    await ended
    return seconds
  }
  throw new Error(`the run in "${folder}" ended before it said what was waited for`)
}

/** A notice of this code; one that begins with other words is not what was to be measured. */
export const isNotice =
  (code: string, words = '') =>
  (event: Event): boolean => {
    if (event.type !== 'notice' || event.code !== code) return false
    if (!event.message.startsWith(words)) throw new Error(`expected "${words}", found "${event.message}"`)
    return true
  }

const start = (cwd: string, [program, ...args]: readonly string[], errors: 'ignore' | 'inherit'): ChildProcess =>
  spawn(program!, args, { cwd, stdio: ['ignore', 'pipe', errors] })
