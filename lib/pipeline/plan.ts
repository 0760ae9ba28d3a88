import pLimit from 'p-limit'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { Digest } from './canonical.ts'
import { causesOf } from './causes.ts'
import type { Cause } from './causes.ts'
import type { Change } from './changes.ts'
import { experimentHash } from './definition.ts'
import { estimateOf } from './estimate.ts'
import type { Estimate } from './estimate.ts'
import { keyOf } from './key.ts'
import { linkPath, linkedFolder } from './link.ts'
import { beyondMachine } from './machine-limits.ts'
import type { Manifest } from './manifest.ts'
import { nearestResult } from './nearest.ts'
import type { Nearest } from './nearest.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import { isComplete, prepare, recordOf, sourcesOf, upstream } from './prepare.ts'
import type { PartialRecord, Prepared, Settled } from './prepare.ts'
import type { RemoteSession, Tell } from './remote/session.ts'
import type { Signer } from './remote/signature.ts'
import { previewShards } from './shards/preview.ts'
import type { ShardsPlan } from './shards/preview.ts'
import type { ResolveRevisions } from './revisions.ts'
import { storeFailure } from './store-failure.ts'
import type { Found } from './store.ts'

export type State = 'fresh' | 'restore' | 'run' | 'may-run'

export interface StagePlan {
  readonly stage: string
  /**
   * `fresh`: the result is there and linked; `restore`: it is there; `run`: it is not; `may-run`: that depends on what
   * the stages before it will give.
   */
  readonly state: State
  readonly reason: string
  /** Null where it depends on a stage that has yet to run. */
  readonly key: Digest | null
  readonly changes: readonly Change[]
}

export interface Plan {
  readonly experiment: Digest
  readonly stages: readonly EstimatedPlan[]
  /** Worth saying of the remote. */
  readonly notices: readonly Failure[]
}

/** Null for a stage that does not run, and for one of which there is no earlier result. */
export type EstimatedPlan = StagePlan & {
  readonly estimate: Estimate | null
  readonly shards?: ShardsPlan | null
  /** Of a stage that runs or may, and has run before. */
  readonly causes: readonly Cause[]
}

export interface PlanOptions {
  readonly targets?: readonly string[] | undefined
  /** Stages (ids or names) to run although their results are there; true for all. */
  readonly force?: readonly string[] | boolean | undefined
  readonly resolveRevisions: ResolveRevisions
  /** Ends what is asked of a remote. */
  readonly signal?: AbortSignal | undefined
}

/** What a run would do and why. Touches nothing but node_modules/.cache/pipeline. */
export async function planRun(pipeline: Pipeline, options: PlanOptions): Promise<Result<Plan, Failure[]>> {
  const prepared = await prepare(pipeline, options.targets, options.resolveRevisions)
  if (!prepared.ok) return prepared
  try {
    return await planPrepared(prepared.value, options)
  } catch (error) {
    return err([storeFailure(error, 'the store was read')])
  }
}

async function planPrepared(prepared: Prepared, options: PlanOptions): Promise<Result<Plan, Failure[]>> {
  const notices: Failure[] = []
  const tell: Tell = (_, code, message) => void notices.push(new Failure(code, message))
  const remote = await remoteOf(prepared.pipeline, options.signal ?? new AbortController().signal, tell)
  const planned = await planStages(prepared, options.force, remote)
  const { stages, earlier } = planned
  prepared.stats.save()
  const refused = await beyondMachine(prepared.stages, () => Promise.resolve(stages))
  if (refused.length > 0) return err(refused)
  const estimated: EstimatedPlan[] = []
  const causes = causesOf(prepared, planned)
  for (const plan of stages) {
    const { stage: id, state, reason, key, changes } = plan
    const stage = prepared.byId.get(id)!
    const estimate = state === 'run' || state === 'may-run' ? estimateOf(stage, earlier(stage.name)) : null
    // field by field: V8 gives each object that is spread and added to a layout of its own
    const one = { stage: id, state, reason, key, changes, causes: causes.get(id) ?? [], estimate }
    estimated.push(
      stage.shards === undefined ? one : { ...one, shards: await previewShards(prepared, planned, stage, plan) },
    )
  }
  return ok({ experiment: experimentHash(prepared), stages: estimated, notices })
}

/** Loads nothing where the pipeline has no remote. `signer` signs what is pushed. */
export async function remoteOf(
  { remote, trust }: Pipeline,
  signal: AbortSignal,
  tell: Tell,
  signer?: Signer,
): Promise<RemoteSession | undefined> {
  return remote && new (await import('./remote/session.ts')).RemoteSession(remote, { trust, signer }, signal, tell)
}

export interface Planned {
  readonly stages: readonly StagePlan[]
  /** Results of the stages that are fresh or restored. */
  readonly settled: ReadonlyMap<string, Settled>
  readonly manifests: ReadonlyMap<string, Manifest>
  /** Of these stages those whose results, and all that they were made from, the store has: the others are fetched. */
  readonly here: ReadonlySet<string>
  /** Earlier results of all cells of a stage, newest first. */
  readonly earlier: (name: string) => readonly Manifest[]
  /** What stages that run, or may, were compared with; of such alone as had to be. */
  readonly nearest: ReadonlyMap<string, Nearest>
}

export async function planStages(
  prepared: Prepared,
  force: PlanOptions['force'],
  remote?: RemoteSession,
): Promise<Planned> {
  const known = { settled: new Map<string, Settled>(), manifests: new Map<string, Manifest>(), here: new Set<string>() }
  const states = new Map<string, State>()
  const nearest = new Map<string, Nearest>()
  // of twenty thousand stages most may have no results: one look at the store tells
  let there: ReadonlySet<string> | undefined
  const earlier = memoised((name: string) =>
    (there ??= new Set(prepared.store.stages())).has(name) ? prepared.store.manifests(name) : [],
  )
  // one at a time, as each hashes with all that the machine has
  const look = pLimit(1)
  const planOne = async (stage: Stage): Promise<StagePlan> => {
    const record = recordOf(prepared, stage, known.settled)
    const key = isComplete(record) ? keyOf(record) : null
    const forced = isForced(stage, force)
    const local = key === null ? undefined : await look(() => prepared.store.find(stage.name, key))
    const isAsked = key !== null && local?.state !== 'whole' && !forced && Object.keys(stage.out).length > 0
    const shared = isAsked ? await remote?.find(stage.id, { stage: stage.name, key }) : undefined
    const found: Found | undefined = shared === undefined ? local : { state: 'whole', manifest: shared }
    const facts = { key, found, forced, remote: shared && remote?.address }
    const all = { ...facts, ...lookup(prepared, stage, key, states, earlier) }
    const plan = decide(stage, record, all, (found) => nearest.set(stage.id, found))
    states.set(stage.id, plan.state)
    if (found?.state === 'whole' && (plan.state === 'fresh' || plan.state === 'restore')) {
      known.settled.set(stage.id, settledBy(found.manifest))
      known.manifests.set(stage.id, found.manifest)
      if (shared === undefined && upstream(stage).every((id) => known.here.has(id))) known.here.add(stage.id)
    }
    return plan
  }
  // stages that do not read each other are looked up side by side: a remote answers slowly
  const plans = new Map<string, Promise<StagePlan>>()
  for (const stage of prepared.stages) {
    const before = upstream(stage).flatMap((id) => plans.get(id) ?? [])
    plans.set(
      stage.id,
      Promise.all(before).then(() => planOne(stage)),
    )
  }
  return { ...known, stages: await Promise.all(plans.values()), earlier, nearest }
}

export const settledBy = (manifest: Manifest): Settled => ({
  key: manifest.key,
  outputs: Object.fromEntries(Object.entries(manifest.outputs).map(([name, output]) => [name, output.digest])),
})

export const isForced = (stage: Stage, force: PlanOptions['force']): boolean =>
  typeof force === 'boolean' ? force : (force ?? []).some((name) => name === stage.id || name === stage.name)

/** All that the decision about one stage is made from. */
interface Facts {
  readonly key: Digest | null
  readonly found: Found | undefined
  readonly forced: boolean
  /** The remote that the result was found in, for want of one in the store. */
  readonly remote: string | undefined
  /** The stage's link points at the result. */
  readonly linked: () => boolean
  /** Stages it reads that run, or may. */
  readonly waitsFor: readonly string[]
  /** Earlier results, newest first; asked for only where a reason needs them. */
  readonly earlier: () => readonly Manifest[]
  readonly sources: Readonly<Record<string, Digest>>
}

function lookup(
  prepared: Prepared,
  stage: Stage,
  key: Digest | null,
  states: ReadonlyMap<string, State>,
  earlier: (name: string) => readonly Manifest[],
) {
  return {
    linked: () =>
      key !== null && linkedFolder(linkPath(prepared.artifacts, stage)) === prepared.store.folder(stage.name, key),
    waitsFor: upstream(stage).filter((id) => states.get(id) === 'run' || states.get(id) === 'may-run'),
    earlier: () => earlier(stage.name),
    sources: sourcesOf(prepared, stage),
  }
}

/** Cells of a large matrix share one folder of results, which is read once for all of them. */
function memoised<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>()
  return (name) => {
    const value = known.get(name) ?? make(name)
    known.set(name, value)
    return value
  }
}

function decide(stage: Stage, record: PartialRecord, facts: Facts, onCompared: (nearest: Nearest) => void): StagePlan {
  const plan = (state: State, reason: string, changes: readonly Change[] = []): StagePlan => ({
    stage: stage.id,
    state,
    reason,
    key: facts.key,
    changes,
  })
  if (Object.keys(stage.out).length === 0) return plan('run', 'it has no outputs, so it always runs')
  if (facts.forced) return plan('run', 'forced')
  if (facts.remote !== undefined) return plan('restore', `it is in the remote ${facts.remote}`)
  if (facts.found?.state === 'whole') {
    return facts.linked() ? plan('fresh', 'nothing it depends on has changed') : plan('restore', 'it was made before')
  }
  if (facts.found?.state === 'damaged') return plan('run', `its result was damaged: ${facts.found.what}`)
  const nearest = nearestResult(stage, record, facts.sources, facts.earlier())
  if (nearest === undefined) return plan('run', 'it has not run yet')
  onCompared(nearest)
  const { changes, all } = nearest
  const waits = facts.waitsFor.length > 0
  if (changes.length > 0 && (all || !waits)) return plan('run', changeReason(changes), changes)
  if (!waits) return plan('run', 'its result is gone')
  return plan('may-run', `it reads ${facts.waitsFor.map((id) => `"${id}"`).join(', ')}`)
}

function changeReason(changes: readonly Change[]): string {
  const [first] = changes
  const more = changes.length > 1 ? `, and ${changes.length - 1} more` : ''
  return `${first!.field}  ${first!.from} → ${first!.to}${more}`
}
