import { statfsSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import type { ChildEnd } from './child.ts'
import type { Stage } from './pipeline.ts'

export const cancelled = (stage: Stage): Failure =>
  new Failure('STAGE_CANCELLED', `Stage "${stage.id}" was stopped. Run again to go on from its checkpoint.`, {
    exitCode: 1,
  })

export const timedOut = (stage: Stage): Failure =>
  new Failure(
    'STAGE_TIMEOUT',
    `Stage "${stage.id}" ran longer than its ${stage.timeoutSeconds ?? 0} s. Raise its \`timeout\`.`,
    {
      exitCode: 1,
      place: stage.place,
    },
  )

export function died(stage: Stage, end: ChildEnd): Failure {
  const how = end.signal === null ? `exit code ${end.exitCode ?? '?'}` : `signal ${end.signal}`
  return new Failure('STAGE_DIED', `Stage "${stage.id}" ended with ${how} before its work was done.`, {
    exitCode: 1,
    place: stage.place,
  })
}

/** What a stage failed of by its own account, which may say nothing of the disk that was full for it. */
export function onFullDisk(failure: Failure, folder: string): Failure {
  if (!['COMMAND_FAILED', 'STAGE_FAILED', 'STAGE_DIED'].includes(failure.code) || hasRoom(folder)) return failure
  const message = `The disk is full: make room and run again. (${failure.message})`
  return new Failure('DISK_FULL', message, {
    ...(failure.place && { place: failure.place }),
    exitCode: 1,
    cause: failure,
  })
}

function hasRoom(folder: string): boolean {
  try {
    const { blocks, bfree, bavail } = statfsSync(folder)
    // some of the free blocks may be root's alone; a file system of no blocks does not count them
    return blocks === 0 || (process.getuid?.() === 0 ? bfree : bavail) > 0
  } catch {
    return true // a folder that is gone says nothing of its disk
  }
}
