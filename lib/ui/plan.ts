import { planRun } from '../pipeline/plan.ts'
import type { LoadedPipeline } from '../pipeline/config.ts'
import { upstream } from '../pipeline/prepare.ts'
import type { ResolveRevisions } from '../pipeline/revisions.ts'
import type { Failure, Place } from '../util/failure.ts'
import { ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { PlanAnswer } from './api.ts'

export type Load = () => Promise<Result<LoadedPipeline, readonly Failure[]>>

/** What `pipeline status` tells of pipeline.yaml as it is now, and what the stages read. */
export async function planAnswer(
  load: Load,
  resolveRevisions: ResolveRevisions,
): Promise<Result<Omit<PlanAnswer, 'command'>, readonly Failure[]>> {
  const loaded = await load()
  if (!loaded.ok) return loaded
  const plan = await planRun(loaded.value, { resolveRevisions })
  if (!plan.ok) return plan
  const reads = new Map(loaded.value.stages.map((stage) => [stage.id, upstream(stage)]))
  const stages = plan.value.stages.map(({ stage, state, reason, changes, estimate }) => ({
    ...{ name: stage, state, reason, reads: reads.get(stage) ?? [], seconds: estimate?.seconds ?? null },
    changes: changes.map(({ place, field, from, to }) => ({ place: place ? placeName(place) : null, field, from, to })),
  }))
  return ok({ experiment: plan.value.experiment, stages, notices: plan.value.notices.map(plainFailure) })
}

const placeName = ({ file, line, column }: Place): string =>
  file.startsWith('--') ? file : `${file}:${line}:${column}`

/** A failure as JSON: an Error's own message would be left out. */
export const plainFailure = ({ code, message, place }: Failure) => ({ code, message, place: place ?? null })
