import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FIRST, OTHER, isRight, runsOf, setInput } from './project.ts'
import { cachedFiles, run, start } from './tools.ts'
import type { Tool } from './tools.ts'

export interface Attack {
  readonly name: string
  readonly tries: number
  readonly act: (tool: Tool, folder: string, attempt: Attempt) => Promise<Outcome>
}

export interface Attempt {
  readonly index: number
  /** In [0, 1). */
  readonly chance: number
  /** How long a whole run takes this tool. */
  readonly milliseconds: number
}

export interface Outcome {
  /** A run said that all is well, and the outputs are not what a clean run gives. */
  readonly wrong: boolean
  /** A good output of an earlier run was not there any more, or three runs in a row have failed. */
  readonly lost: boolean
}

/** Each begins in a folder where the first input has been run, and run again with nothing to do. */
export const attacks: readonly Attack[] = [
  { name: 'the tool killed with -9 at a random time', tries: 12, act: killTool },
  { name: 'a stage killed with -9 at a random time', tries: 8, act: killStage },
  ...(['cut in half', 'with a flipped bit', 'edited, size and time as before'] as const).flatMap((how): Attack[] => [
    { name: `an output ${how}`, tries: 6, act: (tool, folder, { index }) => damageOutput(tool, folder, index, how) },
    { name: `a cached copy ${how}`, tries: 6, act: (tool, folder, { index }) => damageCache(tool, folder, index, how) },
  ]),
  { name: 'a stale file in an output folder', tries: 4, act: stale },
  { name: 'an input edited while a stage runs', tries: 5, act: edit },
  { name: 'an input edited while a stage runs, and back again', tries: 4, act: editAndBack },
  { name: 'eight runs at once', tries: 2, act: eight },
]

/** Runs until it says that all is well, three times at most, and judges. */
async function judge(tool: Tool, folder: string, input: string): Promise<Outcome> {
  for (let i = 0; i < 3; i++) {
    if (await run(tool, folder)) return { wrong: !isRight(folder, tool.outputs, input), lost: false }
  }
  return { wrong: false, lost: true }
}

/** The same, for an input whose outputs were made before: no stage may have to run for them. */
async function judgeEarlier(tool: Tool, folder: string, input: string): Promise<Outcome> {
  setInput(folder, input)
  const before = runsOf(folder)
  const outcome = await judge(tool, folder, input)
  return { ...outcome, lost: outcome.lost || runsOf(folder) > before }
}

const both = (a: Outcome, b: Outcome): Outcome => ({ wrong: a.wrong || b.wrong, lost: a.lost || b.lost })

async function killTool(tool: Tool, folder: string, { chance, milliseconds }: Attempt): Promise<Outcome> {
  setInput(folder, OTHER)
  const child = start(tool, folder)
  const ended = once(child, 'exit')
  await Promise.race([delay(chance * milliseconds), ended])
  child.kill('SIGKILL')
  await ended
  const now = await judge(tool, folder, OTHER)
  return both(now, await judgeEarlier(tool, folder, FIRST))
}

async function killStage(tool: Tool, folder: string, { chance }: Attempt): Promise<Outcome> {
  setInput(folder, OTHER)
  const child = start(tool, folder)
  const ended = once(child, 'exit')
  await begun(folder, 'slow.pid')
  await delay(chance * 300)
  try {
    process.kill(Number(readFileSync(join(folder, 'slow.pid'), 'utf8')), 'SIGKILL')
  } catch {
    // it has ended by itself
  }
  await ended
  const now = await judge(tool, folder, OTHER)
  return both(now, await judgeEarlier(tool, folder, FIRST))
}

/** Waits for a file that the slow stage makes anew. */
async function begun(folder: string, marker: string): Promise<void> {
  for (let i = 0; i < 3000 && !existsSync(join(folder, marker)); i++) await delay(10)
}

type How = 'cut in half' | 'with a flipped bit' | 'edited, size and time as before'

function damage(file: string, how: How): void {
  const { mode, size } = statSync(file)
  const reference = `${file}.reference`
  // node sets times to the microsecond alone
  if (how === 'edited, size and time as before') execFileSync('cp', ['-p', file, reference])
  chmodSync(file, 0o644)
  if (how === 'cut in half') truncateSync(file, size >> 1)
  else {
    const bytes = readFileSync(file)
    bytes[size >> 1]! ^= 1
    writeFileSync(file, bytes)
  }
  if (existsSync(reference)) {
    execFileSync('touch', ['-r', reference, file])
    rmSync(reference)
  }
  chmodSync(file, mode & 0o777)
}

async function damageOutput(tool: Tool, folder: string, index: number, how: How): Promise<Outcome> {
  damage(outputFile(tool, folder, index), how)
  return judge(tool, folder, FIRST)
}

function outputFile({ outputs }: Tool, folder: string, index: number): string {
  const files = [outputs.upper, join(outputs.parts, 'aa'), outputs.joined]
  return join(folder, files[index % files.length]!)
}

/** Then what the user sees of the outputs is deleted, so that it comes from the cache. */
async function damageCache(tool: Tool, folder: string, index: number, how: How): Promise<Outcome> {
  const content = readFileSync(outputFile(tool, folder, index))
  const copies = cachedFiles(tool, folder).filter((file) => readFileSync(file).equals(content))
  if (copies.length === 0) throw new Error(`${tool.name} keeps no copy of its output in ${tool.cache}`)
  for (const copy of copies) damage(copy, how)
  for (const path of tool.links) rmSync(join(folder, path), { recursive: true })
  return judge(tool, folder, FIRST)
}

/** One of an earlier run of more parts, or one that a user left there. */
async function stale(tool: Tool, folder: string, { index }: Attempt): Promise<Outcome> {
  if (index % 2 === 0) setInput(folder, OTHER)
  else writeFileSync(join(folder, tool.outputs.parts, 'zz'), 'stale\n')
  return judge(tool, folder, index % 2 === 0 ? OTHER : FIRST)
}

/** The run may fail; what counts is what later runs give, for the new input and for the old one. */
async function edit(tool: Tool, folder: string, { chance }: Attempt): Promise<Outcome> {
  const ended = await runSlow(tool, folder)
  await delay(chance * 250)
  setInput(folder, FIRST.replace('one', 'uno'))
  await ended()
  const now = await judge(tool, folder, FIRST.replace('one', 'uno'))
  setInput(folder, OTHER)
  return both(now, await judge(tool, folder, OTHER))
}

async function editAndBack(tool: Tool, folder: string): Promise<Outcome> {
  const ended = await runSlow(tool, folder)
  setInput(folder, FIRST)
  await begun(folder, 'slow.read')
  setInput(folder, OTHER)
  await ended()
  return judge(tool, folder, OTHER)
}

/** Starts a run on the other input and waits for its slow stage. */
async function runSlow(tool: Tool, folder: string): Promise<() => Promise<unknown>> {
  setInput(folder, OTHER)
  const child = start(tool, folder)
  const ended = once(child, 'exit')
  await begun(folder, 'slow.pid')
  return () => ended
}

async function eight(tool: Tool, folder: string): Promise<Outcome> {
  setInput(folder, OTHER)
  await Promise.all(Array.from({ length: 8 }, () => run(tool, folder)))
  const now = await judge(tool, folder, OTHER)
  return both(now, await judgeEarlier(tool, folder, FIRST))
}

/** Ready for an attack: what the slow stage will make is not there. */
export function arm(folder: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith('slow.')) rmSync(join(folder, name))
}
