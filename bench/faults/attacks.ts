import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { eight, eightShared } from './at-once.ts'
import { damageCache, damageOutput, damageRecord } from './damage.ts'
import { fullDisk } from './disk.ts'
import { edit, editAndBack, stale } from './edits.ts'
import { killStage, killStageAtStep, killTool, killToolAtWrite } from './kills.ts'
import type { Outcome } from './outcome.ts'
import { STEPS } from './project.ts'
import { forbid, forbidden } from './permissions.ts'
import type { Tool } from './tools.ts'

export interface Attack {
  readonly name: string
  readonly tries: number
  readonly act: (tool: Tool, folder: string, attempt: Attempt) => Promise<Outcome>
}

export interface Attempt {
  readonly index: number
  /** Where this try comes among all of the attack, in [0, 1): spread evenly, and by chance between. */
  readonly share: number
  /** In [0, 1), of no relation to the others. */
  readonly chance: number
  readonly clean: CleanRun
}

/** What a run takes in which every stage runs. */
export interface CleanRun {
  readonly milliseconds: number
  /** Calls that change a file or a folder of the project. */
  readonly writes: number
  /** Of a disk. */
  readonly blocks: number
}

/** Each begins in a folder where the first input has been run, and run again with nothing to do. */
export const attacks: readonly Attack[] = [
  { name: 'the tool killed with -9 at a random time', tries: 12, act: killTool },
  { name: 'the tool killed with -9 before or within a write', tries: 16, act: killToolAtWrite },
  { name: 'a stage killed with -9 at a random time', tries: 8, act: killStage },
  { name: 'a stage killed with -9 before, between or after its writes', tries: STEPS.length, act: killStageAtStep },
  { name: 'a disk that is full somewhere in a run', tries: 10, act: fullDisk },
  ...forbidden.map((one): Attack => ({ ...one, act: (...args) => forbid(one, ...args) })),
  ...(['cut in half', 'with a flipped bit', 'edited, size and time as before'] as const).flatMap((how): Attack[] => [
    { name: `an output ${how}`, tries: 6, act: (tool, folder, { index }) => damageOutput(tool, folder, index, how) },
    { name: `a cached copy ${how}`, tries: 6, act: (tool, folder, { index }) => damageCache(tool, folder, index, how) },
  ]),
  ...(['cut somewhere', 'with a flipped bit'] as const).map((how): Attack => ({
    name: `a record of what is cached ${how}`,
    tries: 12,
    act: (tool, folder, attempt) => damageRecord(tool, folder, attempt, how),
  })),
  { name: 'a stale file in an output folder', tries: 4, act: stale },
  { name: 'an input edited while a stage runs', tries: 5, act: edit },
  { name: 'an input edited while a stage runs, and back again', tries: 4, act: editAndBack },
  { name: 'eight runs at once in one folder', tries: 3, act: eight },
  { name: 'eight runs at once in eight folders with one cache', tries: 2, act: eightShared },
]

/** Ready for an attack: what the slow stage will make is not there. */
export function arm(folder: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith('slow.')) rmSync(join(folder, name))
}
