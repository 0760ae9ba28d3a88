import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { definitions } from './definition.ts'
import { executeStage } from './execute.ts'
import type { Execution, StageEnd, StageTask } from './execute.ts'
import { GRACE_SECONDS } from './executor/choose.ts'
import { keyOf } from './key.ts'
import { goLive } from './live.ts'
import { planAndClaim } from './plan-and-claim.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import { remoteOf, settledBy } from './plan.ts'
import type { Planned } from './plan.ts'
import { isComplete, prepare, recordOf } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import { readSigner } from './remote/signing-key.ts'
import { NOTHING_HERE, Pool, machineCapacity } from './resources.ts'
import { pushBehind, restoreStage } from './restore.ts'
import type { RunOptions } from './run-options.ts'
import { inShards, makeShard } from './shards/make.ts'
import { storeFailure } from './store-failure.ts'

export interface StepOptions extends Pick<RunOptions, 'engine' | 'signal' | 'kill' | 'onEvent' | 'resolveRevisions'> {
  /** The id of a stage or cell. */
  readonly stage: string
  /** The digest of its definition, as it was when the step was written: see `definitions`. */
  readonly key: string
  /** Make no more than this part of its result. */
  readonly shard: { readonly number: number; readonly of: number } | undefined
}

/**
 * Makes the result of one stage here, or a part of it, from what the store or the remote has: a step of a workflow that
 * another program runs. No experiment is recorded. An error is what is wrong before anything ran.
 */
export async function runStep(
  pipeline: Pipeline,
  options: StepOptions,
): Promise<Result<Failure | undefined, Failure[]>> {
  const prepared = await prepare(pipeline, [options.stage], options.resolveRevisions)
  if (!prepared.ok) return prepared
  const found = stageOf(prepared.value, options)
  if (!found.ok) return err([found.error])
  const live = goLive(prepared.value.store)
  try {
    const failure = await new Step(prepared.value, options, live !== undefined).make(found.value)
    prepared.value.stats.save()
    return ok(failure)
  } catch (error) {
    return err([storeFailure(error, 'a step was prepared')])
  } finally {
    live?.release()
  }
}

function stageOf(prepared: Prepared, { stage: id, key, shard }: StepOptions): Result<Stage, Failure> {
  const stage = prepared.byId.get(id)
  const fail = (code: Failure['code'], message: string): Result<Stage, Failure> =>
    err(new Failure(code, message, stage && { place: stage.place }))
  if (stage === undefined) return fail('STAGE_UNKNOWN', `"${id}" has cells: a step is one of them.`)
  const here = definitions(prepared).get(id)!
  if (here !== key) {
    const message = `The step is of a stage "${id}" that is defined by ${key.slice(0, 16)}…, found ${here.slice(0, 16)}…: its code, its parameters, its packages or what it reads was edited since. Write the workflow anew.`
    return fail('STEP_CHANGED', message)
  }
  if (shard !== undefined && stage.shards === undefined)
    return fail('SHARDS_INVALID', `"${id}" has no \`shards\`, so that there is no part of it to make.`)
  // whether there is another try is said by who runs the workflow
  return ok({ ...stage, retries: { times: 0, backoffSeconds: 0 } })
}

class Step {
  readonly #prepared: Prepared
  readonly #options: StepOptions
  readonly #isLive: boolean

  constructor(prepared: Prepared, options: StepOptions, isLive: boolean) {
    this.#prepared = prepared
    this.#options = options
    this.#isLive = isLive
  }

  async make(stage: Stage): Promise<Failure | undefined> {
    const { signal, onEvent } = this.#options
    const signer = this.#prepared.pipeline.remote && readSigner(process.env)
    const tell = (id: string | null, code: Failure['code'], message: string): void =>
      onEvent({ type: 'notice', stage: id, code, message })
    const remote = await remoteOf(this.#prepared.pipeline, signal, tell, signer)
    const planned = await planAndClaim(this.#prepared, { signal }, this.#isLive, remote)
    const run = this.#execution(planned, remote)
    const failure = (await this.#restore(run, planned, stage)) ?? (await this.#one(run, stage))
    if (failure !== undefined) onEvent({ type: 'failure', stage: stage.id, failure, log: null })
    await remote?.settle()
    return failure
  }

  /** What the stage reads, and itself, where the remote has it. */
  async #restore(run: Execution, { settled, here }: Planned, own: Stage): Promise<Failure | undefined> {
    const early = this.#prepared.stages.filter(({ id }) => id !== own.id && !settled.has(id)).map(({ id }) => `"${id}"`)
    if (early.length > 0) {
      const message = `"${own.id}" reads ${early.join(', ')}, of which there is no result in the store, nor in the remote. Run that step first.`
      return new Failure('STEP_EARLY', message, { exitCode: 1, place: own.place })
    }
    for (const stage of this.#prepared.stages) {
      if (run.remote === undefined || here.has(stage.id) || !settled.has(stage.id)) continue
      const end = await restoreStage(run, run.remote, this.#task(run, stage))
      if (end?.outcome === 'failed') return end.failure
    }
    return undefined
  }

  async #one(run: Execution, stage: Stage): Promise<Failure | undefined> {
    const pool = new Pool(machineCapacity(undefined, process.env))
    const means = { pool, executor: undefined, keepGoing: false }
    const task = { ...this.#task(run, stage), grant: NOTHING_HERE }
    const { shard } = this.#options
    if (shard !== undefined) return makeShard(means, run, task, keyOf(task.record), shard)
    const grant = stage.shards === undefined ? await pool.take(stage.resources) : NOTHING_HERE
    const executor = stage.shards === undefined ? undefined : inShards(means)
    const started = performance.now()
    const end = await executeStage(run, { ...task, grant, executor })
    if (end.outcome === 'ran') pushBehind(run, { stage }, end.manifest)
    this.#say(stage, end, (performance.now() - started) / 1000)
    return end.outcome === 'failed' ? end.failure : undefined
  }

  #say({ id: name }: Stage, { key, outcome }: StageEnd, seconds: number): void {
    this.#options.onEvent({ type: 'stage-finished', name, key, outcome, seconds })
  }

  #task(run: Execution, stage: Stage): Omit<StageTask, 'grant'> {
    const record = recordOf(this.#prepared, stage, run.settled)
    if (!isComplete(record)) throw new Error(`Internal error: "${stage.id}" is a step before what it reads`)
    return { stage, record, reason: 'a step of a workflow', force: false, audit: false }
  }

  #execution({ manifests }: Planned, remote: Execution['remote']): Execution {
    const { engine, signal, kill, onEvent: emit } = this.#options
    const settled = new Map([...manifests].map(([id, manifest]) => [id, settledBy(manifest)] as const))
    return { prepared: this.#prepared, engine, graceSeconds: GRACE_SECONDS, signal, kill, emit, settled, remote }
  }
}
