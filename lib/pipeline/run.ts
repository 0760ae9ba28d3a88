import type { Failure } from '../util/failure.ts'
import { inOrder } from './in-order.ts'
import type { JsonObject } from '../util/json.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { Digest } from './canonical.ts'
import type { Event, StageResult } from './event.ts'
import { executeStage, publishLink } from './execute.ts'
import type { Execution, Executor, StageEnd, StageTask } from './execute.ts'
import { GRACE_SECONDS, executorOf, refusedBeforehand } from './executor/choose.ts'
import { Slurm } from './executor/slurm.ts'
import { writeExperiment } from './experiment.ts'
import { experimentHash } from './definition.ts'
import { keepJournal } from './journal.ts'
import { goLive } from './live.ts'
import type { Manifest } from './manifest.ts'
import { readMetrics } from './metrics.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import { isForced, planStages, remoteOf, settledBy } from './plan.ts'
import type { Planned } from './plan.ts'
import { planAndClaim } from './plan-and-claim.ts'
import { isComplete, prepare, recordOf, upstream } from './prepare.ts'
import type { Prepared, Settled } from './prepare.ts'
import type { RemoteSession, Tell } from './remote/session.ts'
import { readSigner } from './remote/signing-key.ts'
import { NOTHING_HERE, Pool, machineCapacity } from './resources.ts'
import { pushBehind, restoreStage, takeTurn } from './restore.ts'
import { inShards } from './shards/make.ts'
import type { RunOptions, RunSummary } from './run-options.ts'
import { keepSources } from './sources/pool.ts'
import { storeFailure } from './store-failure.ts'

/**
 * Runs what the plan says. An error is what is wrong before anything ran; failures of stages stand in the summary.
 * The last event is always `finished`.
 */
export async function runPipeline(pipeline: Pipeline, options: RunOptions): Promise<Result<RunSummary, Failure[]>> {
  const prepared = await prepare(pipeline, options.targets, options.resolveRevisions)
  if (!prepared.ok) return err(prepared.error)
  try {
    const plans = async (): Promise<Planned['stages']> => (await planStages(prepared.value, options.force)).stages
    const refused = await refusedBeforehand(prepared.value.stages, options, plans)
    if (refused.length > 0) return err(refused)
    return ok(await runPrepared(prepared.value, options))
  } catch (error) {
    return err([storeFailure(error, 'the store was read')])
  }
}

/** The same for stages that are prepared already. */
export async function runPrepared(prepared: Prepared, options: RunOptions): Promise<RunSummary> {
  const live = goLive(prepared.store)
  try {
    const tell: Tell = (stage, code, message) => options.onEvent({ type: 'notice', stage, code, message })
    const signer = prepared.pipeline.remote && readSigner(process.env)
    const remote = await remoteOf(prepared.pipeline, options.signal, tell, signer)
    const planned = await planAndClaim(prepared, options, live !== undefined, remote)
    const note = live && keepJournal(prepared, live.key)
    const onEvent = (event: Event): void => {
      note?.(event)
      options.onEvent(event)
    }
    return await new Run(prepared, { ...options, onEvent }, planned, remote).finish()
  } finally {
    live?.release()
  }
}

class Run {
  readonly #prepared: Prepared
  readonly #options: RunOptions
  readonly #planned: Planned
  readonly #remote: RemoteSession | undefined
  readonly #settled: Map<string, Settled>
  readonly #manifests: Map<string, Manifest>
  readonly #results = new Map<string, StageResult>()
  readonly #failures: Failure[] = []
  readonly #experiment: Digest
  #slurm: Slurm | undefined

  constructor(prepared: Prepared, options: RunOptions, planned: Planned, remote: RemoteSession | undefined) {
    this.#prepared = prepared
    this.#options = options
    this.#planned = planned
    this.#remote = remote
    this.#settled = new Map([...planned.settled].filter(([stage]) => planned.here.has(stage)))
    this.#manifests = new Map(planned.manifests)
    this.#experiment = experimentHash(prepared)
  }

  async finish(): Promise<RunSummary> {
    const stages = this.#prepared.stages.map(({ id }) => id)
    this.#emit({ type: 'started', experiment: this.#experiment, stages })
    this.#linkSettled()
    const waiting = this.#prepared.stages.filter((stage) => !this.#results.has(stage.id))
    if (waiting.length > 0) {
      // a user may edit them while the stages run
      await keepSources(this.#prepared, this.#emit)
      await this.#runAll(waiting)
    }
    this.#prepared.stats.save()
    return this.#summary()
  }

  /** What is fresh or restored needs no process and no order. */
  #linkSettled(): void {
    const execution = this.#execution()
    for (const stage of this.#prepared.stages) {
      const settled = this.#settled.get(stage.id)
      if (settled === undefined) continue
      const started = performance.now()
      try {
        const outcome = publishLink(execution, { stage }, settled.key) ? 'restored' : 'fresh'
        if (outcome === 'restored') this.#prepared.store.tidy(stage.name, settled.key)
        this.#done({ name: stage.id, key: settled.key, outcome, seconds: (performance.now() - started) / 1000 })
      } catch (error) {
        this.#fail(stage, settled.key, storeFailure(error, `the result of "${stage.id}" was linked`), null, 0)
      }
    }
  }

  /** Whether a stage still starts is decided here. */
  async #runAll(waiting: readonly Stage[]): Promise<void> {
    const pool = new Pool(machineCapacity(this.#options.jobs, process.env))
    await inOrder(waiting, (stage) => this.#runOne(stage, pool))
  }

  async #runOne(stage: Stage, pool: Pool): Promise<void> {
    while (this.#mayStart(stage)) {
      if (this.#remote !== undefined && (await this.#restore(stage, this.#remote))) return
      const executor = this.#executorOf(stage, pool)
      const grant = executor ? NOTHING_HERE : await pool.take(stage.resources)
      const wait = await this.#takeTurn(stage, grant, executor).finally(() => grant.release())
      if (wait === 'made') return
      // another machine makes the same: meanwhile we hold nothing
      await wait?.()
    }
    this.#skip(stage)
  }

  /** Makes a result, or gives what waits for another machine that does. */
  async #takeTurn(
    stage: Stage,
    grant: StageTask['grant'],
    executor: Executor | undefined,
  ): Promise<'made' | (() => Promise<void>) | undefined> {
    if (!this.#mayStart(stage)) return undefined
    const run = { ...this.#execution(), signal: this.#options.signalOf?.(stage.id) ?? this.#options.signal }
    const task = { ...this.#task(stage), grant, executor }
    const wait = await takeTurn(run, task, () => !this.#mayStart(stage))
    if (wait !== undefined) return wait
    const started = performance.now()
    const end = await executeStage(run, task)
    this.#end(stage, end, started)
    this.#remote?.endTurn({ stage: stage.name, key: end.key })
    return 'made'
  }

  /** The gate: after Ctrl-C or a failure nothing new starts. */
  #mayStart(stage: Stage): boolean {
    if (this.#options.signal.aborted || this.#options.kill.aborted || !this.#mayRetry()) return false
    if (this.#options.signalOf?.(stage.id).aborted === true) return false
    return upstream(stage).every((before) => this.#settled.has(before))
  }

  readonly #mayRetry = (): boolean => this.#failures.length === 0 || this.#options.keepGoing === true

  /** True if the stage came to its end without a run. */
  async #restore(stage: Stage, remote: RemoteSession): Promise<boolean> {
    const started = performance.now()
    const end = await restoreStage(this.#execution(), remote, this.#task(stage))
    if (end !== undefined) this.#end(stage, end, started)
    return end !== undefined
  }

  #end(stage: Stage, end: StageEnd, started: number): void {
    const seconds = (performance.now() - started) / 1000
    if (end.outcome === 'failed') this.#fail(stage, end.key, end.failure, end.log, seconds)
    else this.#succeed(stage, end, seconds)
  }

  /** Undefined where a stage holds its resources and runs here. An audit looks at processes of this machine. */
  #executorOf(stage: Stage, pool: Pool): Executor | undefined {
    const { audit, executor, keepGoing = false } = this.#options
    const isHere = executorOf(stage, executor) === 'local' || isForced(stage, audit)
    const jobs = isHere ? undefined : (this.#slurm ??= new Slurm(this.#prepared.store, this.#emit)).make
    return stage.shards === undefined ? jobs : inShards({ pool, executor: jobs, keepGoing })
  }

  #task(stage: Stage): Omit<StageTask, 'grant'> {
    const record = recordOf(this.#prepared, stage, this.#settled)
    if (!isComplete(record)) throw new Error(`Internal error: "${stage.id}" was started before what it reads`)
    const audit = isForced(stage, this.#options.audit)
    const plan = this.#planned.stages.find((one) => one.stage === stage.id)!
    const reason = this.#planned.settled.has(stage.id) ? 'its result could not be restored' : plan.reason
    return { stage, record, reason, force: plan.reason === 'forced' || audit, audit }
  }

  #execution(): Execution {
    return {
      prepared: this.#prepared,
      engine: this.#options.engine,
      graceSeconds: this.#options.graceSeconds ?? GRACE_SECONDS,
      signal: this.#options.signal,
      kill: this.#options.kill,
      emit: this.#emit,
      settled: this.#settled,
      remote: this.#remote,
      mayRetry: this.#mayRetry,
    }
  }

  #succeed(stage: Stage, end: Exclude<StageEnd, { outcome: 'failed' }>, seconds: number): void {
    this.#settled.set(stage.id, settledBy(end.manifest))
    this.#manifests.set(stage.id, end.manifest)
    if (end.outcome === 'ran') pushBehind(this.#execution(), { stage }, end.manifest)
    const { device } = end.manifest.ran
    this.#done({ name: stage.id, key: end.key, outcome: end.outcome, seconds }, device)
  }

  #fail(stage: Stage, key: Digest, failure: Failure, log: string | null, seconds: number): void {
    this.#failures.push(failure)
    this.#settled.delete(stage.id)
    this.#emit({ type: 'failure', stage: stage.id, failure, log })
    this.#done({ name: stage.id, key, outcome: 'failed', seconds })
  }

  #skip(stage: Stage): void {
    this.#done({ name: stage.id, key: null, outcome: 'skipped', seconds: 0 })
  }

  #done(result: StageResult, device: string | null = null): void {
    this.#results.set(result.name, result)
    this.#emit({ type: 'stage-finished', ...result, ...(device === null ? {} : { device }) })
  }

  async #summary(): Promise<RunSummary> {
    const stages = this.#prepared.stages.map((stage) => this.#results.get(stage.id)!)
    const complete = stages.every(({ outcome }) => outcome !== 'failed' && outcome !== 'skipped')
    const metrics = complete ? await this.#record(stages) : undefined
    await this.#remote?.settle()
    const experiment = metrics === undefined ? null : this.#experiment
    const finished = { type: 'finished', experiment, stages, metrics: metrics ?? {} } as const
    this.#emit(finished)
    return { finished, failures: this.#failures, manifests: this.#manifests }
  }

  /** The metrics of the experiment, or undefined where it could not be recorded. */
  async #record(stages: readonly StageResult[]): Promise<JsonObject | undefined> {
    try {
      this.#prepared.store.assertThere()
      const metrics = readMetrics(this.#prepared, this.#settled)
      const record = await writeExperiment({
        prepared: this.#prepared,
        hash: this.#experiment,
        settled: this.#settled,
        manifests: this.#manifests,
        results: stages,
        engine: this.#options.engine,
        metrics,
        joinReport: this.#options.joinReport,
        emit: this.#emit,
      })
      // of what is all there nothing was kept yet, if an earlier version ran it
      if (stages.every(({ outcome }) => outcome !== 'ran')) await keepSources(this.#prepared, this.#emit)
      if (record !== undefined) this.#remote?.pushRecord(this.#prepared.pipeline.root, record.hash)
      if (record !== undefined) await this.#options.onRecorded?.(record)
      return metrics
    } catch (error) {
      const failure = storeFailure(error, 'the experiment was recorded')
      this.#failures.push(failure)
      this.#emit({ type: 'failure', stage: null, failure, log: null })
      return undefined
    }
  }

  readonly #emit = (event: Event): void => this.#options.onEvent(event)
}
