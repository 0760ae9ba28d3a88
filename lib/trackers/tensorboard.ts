import { join } from 'node:path'
import { shortened } from '../pipeline/file-names.ts'
import { writeAtomic } from '../pipeline/files.ts'
import { storeFailure } from '../pipeline/store-failure.ts'
import { errorCode } from '../util/error-code.ts'
import { Failure } from '../util/failure.ts'
import { flatten } from '../util/flatten.ts'
import { eventFile } from './event-file.ts'
import type { TimedSummary } from './event-file.ts'
import { hparamsSummary } from './event.ts'
import type { Logged, Scalar } from './logged.ts'

/** TensorBoard knows its files by `tfevents`; each run has one, so that logging again puts the same in its place. */
const FILE = 'events.out.tfevents.pipeline'
/** Bytes of the name of a training's folder. */
const MOST_NAME = 80

/**
 * Writes event files below `folder`, and gives the folder of the experiment: a run `NAME` of parameters and metrics, and
 * a run `NAME/STAGE` a training, so that one chart shows the losses of all. Throws Failure FOLDER_TAKEN, DISK_FULL, ….
 */
export function logToTensorboard(logged: Logged, folder: string): string {
  const own = join(folder, logged.name)
  try {
    for (const { stage, points } of logged.trainings) {
      const events = points.map(({ time, step, scalars }) => ({ time, step, value: scalars.map(summary) }))
      writeAtomic(join(own, shortened(stage, MOST_NAME), FILE), eventFile(points[0]?.time ?? logged.at, events))
    }
    writeAtomic(join(own, FILE), eventFile(logged.at, ofExperiment(logged)))
  } catch (error) {
    if (!/^(EEXIST|ENOTDIR)$/.test(errorCode(error) ?? '')) throw storeFailure(error, 'event files were written')
    throw new Failure('FOLDER_TAKEN', `"${own}" cannot be made: a file is in its way. Name another folder by --dir.`)
  }
  return own
}

function ofExperiment({ name, at, params, metrics }: Logged): TimedSummary[] {
  return [
    { time: at, step: 0, value: hparamsSummary(name, at / 1000, flatten(params)) },
    { time: at, step: 0, value: metrics.map(summary) },
  ]
}

const summary = ([tag, simpleValue]: Scalar) => ({ tag, simpleValue })
