import { createReadStream, existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { LOG } from '../pipeline/manifest.ts'
import type { Store } from '../pipeline/store.ts'
import { earlierLogs } from '../pipeline/try-logs.ts'
import { Runs } from '../ui/runs.ts'
import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import { writeError, writeJson, writePart } from './output.ts'
import { storeHere } from './store.ts'

/** Prints what a stage or a cell wrote when it last ran, and names the logs of the tries before. */
export async function printStageLog(stage: string | undefined, dir?: string, json = false): Promise<number> {
  if (dir !== undefined) throw new Failure('DIR_UNUSED', '--dir is for `--to tensorboard`. Leave it out.')
  if (stage === undefined) {
    const message =
      '`log` needs a stage whose log is printed, or `--to` with the program that an experiment is logged to.'
    throw new Failure('LOG_UNSAID', message)
  }
  const { root, store } = storeHere()
  const file = lastLog(root, store, stage)
  if (file === undefined) throw missing(store, stage)
  const earlier = earlierLogs(file)
  if (json) {
    writeJson({ stage, log: file, earlier })
    return 0
  }
  for await (const part of createReadStream(file, 'utf8')) await writePart(String(part))
  if (earlier.length > 0) {
    writeError(`earlier tries: ${earlier.map((log) => relative(process.cwd(), log)).join(', ')}`)
  }
  return 0
}

/** Of the newest run in which it ran, failed or not; else of its newest result. */
function lastLog(root: string, store: Store, stage: string): string | undefined {
  const runs = new Runs(root)
  for (const { id } of runs.list()) {
    const log = runs.log(id, stage)
    if (log !== undefined) return log
  }
  const made = store.manifests(nameOf(stage)).find((manifest) => manifest.stage === stage)
  const log = made === undefined ? '' : join(store.folder(nameOf(stage), made.key), LOG)
  return existsSync(log) ? log : undefined
}

const nameOf = (stage: string): string => stage.replace(/\[.*/s, '')

function missing(store: Store, stage: string): Failure {
  const cells = store.manifests(nameOf(stage)).map((manifest) => manifest.stage)
  const known = [...new Set(cells.length > 0 ? cells : store.stages())].sort()
  const near = nearest(stage, known)
  const meant = near === undefined ? '' : ` Did you mean "${near}"?`
  const there =
    known.length === 0 ? 'Nothing has run here yet.' : `There are results of ${known.slice(0, 10).join(', ')}.`
  return new Failure('LOG_MISSING', `There is no log of a stage "${stage}" here. ${there}${meant}`)
}
