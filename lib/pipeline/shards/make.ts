import { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import { makeStage } from '../execute.ts'
import type { Execution, Executor, StageEnd, StageTask } from '../execute.ts'
import { makeHere, notice } from '../executor/local.ts'
import { claim } from '../live.ts'
import type { Manifest } from '../manifest.ts'
import { settledBy } from '../plan.ts'
import type { Identity } from '../identify.ts'
import type { Settled } from '../prepare.ts'
import { NOTHING_HERE } from '../resources.ts'
import type { Pool } from '../resources.ts'
import { cancelled } from '../stage-failures.ts'
import { inTurn } from './in-turn.ts'
import { planShards } from './plan.ts'
import type { Planned } from './plan.ts'
import { mergeStage } from './shard.ts'
import { gridOf } from './tiling.ts'
import { unitsOf } from './units.ts'

/** With what parts are made. */
export interface Means {
  readonly pool: Pool
  /** Child processes on this machine, if not said: then each part, and the merge, holds the stage's resources. */
  readonly executor: Executor | undefined
  /** After a part has failed, make the others. */
  readonly keepGoing: boolean
}

/** Makes a result of parts, each a result of its own; those that are there are not made again. */
export const inShards =
  (means: Means): Executor =>
  async (run, task, key) => {
    const { stage, record, force } = task
    const { store } = run.prepared
    if (!force) {
      store.use(stage.name, key)
      const found = await store.find(stage.name, key)
      if (found.state === 'whole') return { outcome: 'fresh', key, manifest: found.manifest }
    }
    const units = await unitsOf(run, stage, key)
    if (run.signal.aborted) throw cancelled(stage)
    const planned = await claimed(run, task, () => planShards(store, { stage, record, key }, units, force))
    sayFewer(run, task, units)
    // the whole in one part is the stage's own work
    if (planned.length === 1 && planned[0]!.manifest === undefined) return make(means, run, task, key)
    return new Making(means, run, task, planned).finish(key)
  }

/** Makes some parts of a result, and not the whole: of as many cuts of its units, those in the one with this number, from 1 on. */
export async function makeShard(
  means: Means,
  run: Execution,
  task: StageTask,
  key: Digest,
  { number, of }: { readonly number: number; readonly of: number },
): Promise<Failure | undefined> {
  const { stage, record } = task
  const units = await unitsOf(run, stage, key)
  const cut = gridOf(units, of)[number - 1]
  if (cut === undefined) return undefined
  const whole = { stage: { ...stage, shards: of }, record, key }
  const planned = await claimed(run, task, () => planShards(run.prepared.store, whole, units, false))
  const own = planned.filter(({ from }) => cut.from <= from && from < cut.to)
  return new Making(means, run, task, own).parts()
}

/** Plans anew where gc took a part between its being found and its being claimed. */
async function claimed(
  run: Execution,
  { stage }: StageTask,
  plan: () => Promise<Planned[]>,
): Promise<readonly Planned[]> {
  for (;;) {
    const planned = await plan()
    const places = planned
      .filter(({ manifest }) => manifest !== undefined)
      .map(({ shard }) => ({ stage: shard.stage.name, key: shard.key }))
    if (places.length === 0 || (await claim(run.prepared.store, places, run.signal))) return planned
    if (run.signal.aborted) throw cancelled(stage)
  }
}

function sayFewer(run: Execution, task: StageTask, units: number): void {
  const { id, shards = 1 } = task.stage
  const unit = run.prepared.identities.get(id)?.unit ?? 'units'
  if (units >= shards) return
  const message = `The work of "${id}" is ${units} ${unit}: it is done in ${units} shards, not ${shards}.`
  notice(run, task, 'SHARDS_FEWER', message)
}

/** Holds the stage's resources meanwhile. */
async function make({ pool, executor }: Means, run: Execution, task: StageTask, key: Digest): Promise<StageEnd> {
  const grant = executor ? NOTHING_HERE : await pool.take(task.stage.resources)
  try {
    if (run.signal.aborted || run.kill.aborted) throw cancelled(task.stage)
    return await (executor ?? makeHere)(run, { ...task, grant }, key)
  } finally {
    grant.release()
  }
}

class Making {
  readonly #means: Means
  readonly #run: Execution
  readonly #task: StageTask
  readonly #planned: readonly Planned[]
  /** What a run knows of its stages, and while they are worked on, of the parts. */
  readonly #identities: Map<string, Identity>
  readonly #identity: Identity
  /** By number; of a manifest what the merge has to know. */
  readonly #made: (Settled | undefined)[]
  #left: number
  readonly #devices = new Set<string>()
  #seconds = 0
  readonly #failed: { readonly id: string; readonly failure: Failure }[] = []

  constructor(means: Means, run: Execution, task: StageTask, planned: readonly Planned[]) {
    this.#means = means
    this.#identities = new Map(run.prepared.identities)
    this.#identity = { ...run.prepared.identities.get(task.stage.id)!, extend: [] }
    this.#run = { ...run, prepared: { ...run.prepared, identities: this.#identities } }
    this.#task = task
    this.#planned = planned
    this.#made = new Array<Settled | undefined>(planned.length).fill(undefined)
    this.#left = planned.length
  }

  async finish(key: Digest): Promise<StageEnd> {
    const failure = await this.parts()
    if (failure !== undefined) return { outcome: 'failed', key, failure, log: null }
    return make(this.#means, ...this.#merge(), key)
  }

  async parts(): Promise<Failure | undefined> {
    await inTurn(this.#planned, (part) => this.#one(part))
    if (this.#run.signal.aborted || this.#run.kill.aborted) return cancelled(this.#task.stage)
    if (this.#failed.length > 0) return this.#failure()
    // another stage has failed: nothing new starts
    return this.#left > 0 ? cancelled(this.#task.stage) : undefined
  }

  /** A run that knows the parts as what the merge reads: of a part as a stage its name and its output, as of all. */
  #merge(): [Execution, StageTask] {
    const { prepared, settled } = this.#run
    const ids = this.#planned.map(({ id }) => id)
    const { stage: part } = this.#planned[0]!.shard
    const byId = new Map(prepared.byId)
    const known = new Map(settled)
    for (const [index, id] of ids.entries()) {
      byId.set(id, part)
      known.set(id, this.#made[index]!)
    }
    const stage = mergeStage(this.#task.stage, ids, { devices: this.#devices, seconds: this.#seconds })
    return [
      { ...this.#run, prepared: { ...prepared, byId }, settled: known },
      { ...this.#task, stage },
    ]
  }

  async #one(part: Planned): Promise<void> {
    if (part.manifest !== undefined) {
      this.#done(part, part.manifest, 'fresh', 0)
      return
    }
    const { stage, record, key } = part.shard
    const { pool, executor } = this.#means
    const grant = executor ? NOTHING_HERE : await pool.take(stage.resources)
    try {
      if (!this.#mayStart()) return
      this.#identities.set(stage.id, this.#identity)
      const started = performance.now()
      const end = await makeStage(this.#run, { ...this.#task, stage, record, grant, executor })
      const seconds = (performance.now() - started) / 1000
      if (end.outcome === 'failed') this.#fail(stage.id, key, end, seconds)
      else this.#done(part, end.manifest, end.outcome, seconds)
    } finally {
      this.#identities.delete(stage.id)
      grant.release()
    }
  }

  #mayStart(): boolean {
    const { signal, kill, mayRetry } = this.#run
    if (signal.aborted || kill.aborted || mayRetry?.() === false) return false
    return this.#failed.length === 0 || this.#means.keepGoing
  }

  #done({ id, index }: Planned, manifest: Manifest, outcome: 'ran' | 'restored' | 'fresh', seconds: number): void {
    this.#made[index] = settledBy(manifest)
    this.#left -= 1
    const { device } = manifest.ran
    if (device !== null) this.#devices.add(device)
    this.#seconds += manifest.ran.seconds
    const said = device === null || outcome === 'fresh' ? {} : { device }
    this.#run.emit({ type: 'stage-finished', name: id, key: manifest.key, outcome, seconds, ...said })
  }

  #fail(id: string, key: Digest, { failure, log }: Extract<StageEnd, { outcome: 'failed' }>, seconds: number): void {
    // who stopped the run need not be told of each part
    if (!this.#run.signal.aborted) {
      this.#failed.push({ id, failure })
      this.#run.emit({ type: 'failure', stage: id, failure, log })
    }
    this.#run.emit({ type: 'stage-finished', name: id, key, outcome: 'failed', seconds })
  }

  #failure(): Failure {
    const [first] = this.#failed
    const names = this.#failed.map(({ id }) => `"${id}"`)
    const named = names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ')
    const message = `Of the ${this.#planned.length} shards of "${this.#task.stage.id}", ${names.length} failed: ${named}. The ${this.#planned.length - this.#left} that are done are kept; run again to make the others alone.`
    return new Failure('SHARDS_FAILED', message, { exitCode: first!.failure.exitCode, place: this.#task.stage.place })
  }
}
