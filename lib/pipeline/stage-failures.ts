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
