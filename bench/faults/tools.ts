import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Outputs } from './project.ts'

/** A tool, used as its own manual says. */
export interface Tool {
  readonly name: string
  readonly outputs: Outputs
  /** Makes a project of a folder that has the program and the input. */
  readonly setUp: (folder: string) => void
  readonly command: (folder: string) => {
    readonly argv: readonly string[]
    readonly env: Readonly<Record<string, string>>
  }
  /** The name, or its beginning, of the program that it is run by. */
  readonly program: string
  /** The folder in which it keeps the contents of outputs. */
  readonly cache: string
  /** Paths of the files that say what was made and is kept. */
  readonly records: RegExp
  /** What a user deletes to have an output restored. */
  readonly links: readonly string[]
  /** Lets a project that has run keep its outputs in a folder for several projects, made of its own at first. */
  readonly share: (folder: string, shared: string) => void
}

export interface Ended {
  /** It says that all is well. */
  readonly ok: boolean
  /** To standard error, its stages too. */
  readonly said: string
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

interface How {
  readonly env?: Readonly<Record<string, string>>
  /** Put before the command. */
  readonly wrapper?: readonly string[]
}

/** A run that takes this long has hung, and is killed. */
const HUNG_MS = 120_000

let runs = 0

export function start(tool: Tool, folder: string, how: How = {}): Started {
  const { argv, env } = tool.command(folder)
  const [program, ...args] = [...(how.wrapper ?? []), ...argv]
  // not a pipe: a stage that outlives its tool would hold it open
  const log = `${folder}.${++runs}.log`
  const out = openSync(log, 'w')
  const child = spawn(program!, args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', out],
    detached: true, // in a process group of its own
    env: { ...process.env, ...env, ...how.env },
  })
  closeSync(out)
  const hung = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), HUNG_MS)
  const ended = once(child, 'exit').then(([code]): Ended => {
    clearTimeout(hung)
    return { ok: code === 0, said: readFileSync(log, 'utf8') }
  })
  return { child, ended }
}

export const run = (tool: Tool, folder: string, how?: How): Promise<Ended> => start(tool, folder, how).ended

/** Makes a folder a link to one that is shared, which it becomes itself where there is none yet. */
export function linkTo(folder: string, shared: string): void {
  if (existsSync(shared)) rmSync(folder, { recursive: true })
  else {
    mkdirSync(dirname(shared), { recursive: true })
    renameSync(folder, shared)
  }
  symlinkSync(shared, folder)
}

/** Files with contents of outputs in its cache, sorted. */
export const cachedFiles = (tool: Tool, folder: string): string[] =>
  filesBelow(join(folder, tool.cache)).filter(
    (file) => !tool.records.test(relative(folder, file)) && statSync(file).size > 1,
  )

/** Those of its records that the run of this input has written, sorted. */
export function recordFiles(tool: Tool, folder: string): string[] {
  const since = statSync(join(folder, 'input.txt')).mtimeMs
  return filesBelow(folder).filter(
    (file) => tool.records.test(relative(folder, file)) && statSync(file).mtimeMs >= since,
  )
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
