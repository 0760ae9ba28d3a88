import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Tool } from './tools.ts'
import { STAGES, secondsOf } from './tools.ts'

const FILES_A_FOLDER = 1000

/** For all tools the same: the first stage lists the inputs, each other copies. It notes that it ran where no tool looks. */
const PROGRAM = 'echo >> ran.log\nif [ -d "$1" ]; then ls -R "$1" > "$2"; else cp "$1" "$2"; fi\n'

/** A project of a tool with so many small input files, run once; undefined where it takes the tool too long. */
export async function makeProject(tool: Tool, folder: string, files: number): Promise<number | undefined> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'make.sh'), PROGRAM)
  for (let i = 0; i < files; i++) {
    const parent = join(folder, 'data', String(Math.floor(i / FILES_A_FOLDER)))
    if (i % FILES_A_FOLDER === 0) mkdirSync(parent, { recursive: true })
    writeFileSync(join(parent, `${i}.txt`), `file ${i}\n`)
  }
  tool.setUp(folder)
  const seconds = await secondsOf(tool, folder)
  if (seconds !== undefined && runsIn(folder) !== STAGES) throw new Error(`${tool.name} did not run its stages`)
  return seconds
}

/** Seconds of a run that has nothing to do. */
export async function noopSeconds(tool: Tool, folder: string): Promise<number | undefined> {
  const before = runsIn(folder)
  const seconds = await secondsOf(tool, folder)
  if (runsIn(folder) !== before) throw new Error(`${tool.name} ran a stage again in ${folder}`)
  return seconds
}

/** How often stages have run. */
export function runsIn(folder: string): number {
  const log = join(folder, 'ran.log')
  return existsSync(log) ? readFileSync(log, 'utf8').length : 0
}
