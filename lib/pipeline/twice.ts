import { join } from 'node:path'
import { compareExactly } from '../util/compare-files.ts'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { compareTrees } from './compare-trees.ts'
import type { RepeatedStage } from './event.ts'
import { repeatStage } from './execute.ts'
import type { Execution, StageTask } from './execute.ts'
import { goLive } from './live.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import type { Planned } from './plan.ts'
import { isComplete, prepare, recordOf } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import { Pool, machineCapacity } from './resources.ts'
import { planAndClaim } from './plan-and-claim.ts'
import type { RunOptions } from './run-options.ts'

type Options = Pick<RunOptions, 'signal' | 'kill' | 'onEvent' | 'resolveRevisions'>

/**
 * Runs a stage, or each cell of one, a second time from the same inputs, beside the results that are there and stay, and
 * compares file by file. The last event is `repeated`. Error: STAGE_UNKNOWN, RESULT_MISSING, or what is wrong with the
 * stages.
 */
export async function verifyTwice(
  pipeline: Pipeline,
  target: string,
  options: Options,
): Promise<Result<readonly RepeatedStage[], Failure[]>> {
  const found = await prepare(pipeline, [target], options.resolveRevisions)
  if (!found.ok) return found
  const prepared = found.value
  const live = goLive(prepared.store)
  try {
    const planned = await planAndClaim(prepared, { signal: options.signal }, live !== undefined, undefined)
    const asked = prepared.stages.filter(({ id, name }) => id === target || name === target)
    const missing = asked.filter(({ id }) => !planned.settled.has(id))
    if (missing.length > 0) return err(missing.map(noResult))
    const stages: RepeatedStage[] = []
    for (const stage of asked) stages.push(await repeat(prepared, planned, stage, options))
    prepared.stats.save()
    options.onEvent({ type: 'repeated', stages })
    return ok(stages)
  } finally {
    live?.release()
  }
}

function noResult({ id, out, place }: Stage): Failure {
  const what =
    Object.keys(out).length === 0
      ? 'has no outputs: there is nothing to compare.'
      : `has no result that a second one could be held against. Run \`pipeline run '${id}'\` first.`
  return new Failure('RESULT_MISSING', `"${id}" ${what}`, { place })
}

async function repeat(prepared: Prepared, planned: Planned, stage: Stage, options: Options): Promise<RepeatedStage> {
  const none = { name: stage.id, seconds: 0, files: [], kept: null, devices: [null, null] } as const
  if (options.signal.aborted) return { ...none, result: 'skipped' }
  const grant = await new Pool(machineCapacity(undefined, process.env)).take(stage.resources)
  const first = planned.manifests.get(stage.id)!
  // nothing of an earlier attempt is gone on with, nor left
  const tidy = (): void => prepared.store.tidy(stage.name, first.key)
  tidy()
  const started = performance.now()
  const end = await repeatStage(
    executionOf(prepared, planned, first.ran.engine, options),
    taskOf(prepared, planned, stage, grant),
  )
  const seconds = (performance.now() - started) / 1000
  tidy()
  if (end.outcome === 'failed') {
    options.onEvent({ type: 'failure', stage: stage.id, failure: end.failure, log: end.log })
    return { ...none, result: 'failed', seconds }
  }
  const { device, folder } = end.second!
  const files = folder === null ? [] : differingFiles(stage, prepared.store.folder(stage.name, end.key), folder)
  const result = folder === null ? 'identical' : 'different'
  return { name: stage.id, result, seconds, files, kept: folder, devices: [first.ran.device, device] }
}

function executionOf(prepared: Prepared, planned: Planned, engine: string, options: Options): Execution {
  const { signal, kill, onEvent } = options
  // the end says more of it
  const emit: Execution['emit'] = (event) => {
    if (event.type !== 'notice' || event.code !== 'NOT_DETERMINISTIC') onEvent(event)
  }
  return { prepared, engine, graceSeconds: 10, signal, kill, emit, settled: planned.settled, remote: undefined }
}

function taskOf(prepared: Prepared, planned: Planned, stage: Stage, grant: StageTask['grant']): StageTask {
  const record = recordOf(prepared, stage, planned.settled)
  if (!isComplete(record)) throw new Error(`Internal error: "${stage.id}" has a result, but not what it reads`)
  return { stage, record, reason: 'a second time, to compare', force: true, audit: false, grant }
}

/** Every file that is not the same, with the first place in it that is not. */
function differingFiles(stage: Stage, first: string, second: string): RepeatedStage['files'] {
  return Object.values(stage.out).flatMap((file) =>
    [...compareTrees(join(first, file), join(second, file), compareExactly)].flatMap(({ path, compared }) => {
      if (compared.within) return []
      const { place, expected, found } = compared.first
      return [{ path: path === '' ? file : `${file}/${path}`, place, first: expected, second: found }]
    }),
  )
}
