import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bundle } from '../../lib/pipeline/bundle.ts'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { projectAt } from '../../lib/pipeline/project.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import type { Rig } from './rig.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))

export interface Told {
  readonly type: string
  readonly code?: string
  readonly outcome?: string
  readonly stage?: string
  readonly name?: string
  readonly message?: string
  readonly experiment?: string | null
}

/** A run in a process of its own. */
export interface Drive {
  readonly child: ChildProcess
  readonly told: Told[]
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** Waits until the run tells something. */
  readonly hears: (what: (told: Told) => boolean) => Promise<Told>
}

export interface DriveOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly spawn?: SpawnOptions
  readonly graceSeconds?: number
  /** Put before `node`. */
  readonly wrapper?: readonly string[]
}

let driver: Promise<string> | undefined

/** The driver bundled, because starting it through a TypeScript loader takes seconds on a busy machine. */
const driverFile = (): Promise<string> => (driver ??= bundleDriver())

async function bundleDriver(): Promise<string> {
  const project = projectAt(join(HERE, '..', '..'))
  const bundled = await bundle(join(HERE, 'driver.ts'), project, new StatCache(project.cache), 'leave')
  if (!bundled.ok) throw bundled.error
  return bundled.value.file
}

export async function drive(rig: Rig, stages: readonly Stage[], options: DriveOptions = {}): Promise<Drive> {
  const spec = JSON.stringify({ pipeline: rig.pipeline(stages), graceSeconds: options.graceSeconds })
  rig.write('.spec.json', spec)
  const command = [
    ...(options.wrapper ?? []),
    process.execPath,
    '--import',
    join(HERE, '..', 'faults', 'inject.mjs'),
    await driverFile(),
    rig.path('.spec.json'),
  ]
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...options.env },
    ...options.spawn,
  })
  const told: Told[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout! }).on('line', (line) => {
    told.push(JSON.parse(line) as Told)
    for (const look of waiting) look()
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const hears = (what: (told: Told) => boolean): Promise<Told> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = told.find(what)
        if (found !== undefined) resolve(found)
      }
      waiting.add(look)
      look()
      void ended.then(() => reject(new Error(`the run ended first: ${JSON.stringify(told)}`)))
    })
  return { child, told, ended, hears }
}

/** Not a process that has ended but whose end nobody has asked for yet. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch (error) {
    // no such process, or no such file where there is no /proc
    return process.platform !== 'linux' && (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
