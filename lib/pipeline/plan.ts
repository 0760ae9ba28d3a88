import type { Failure } from '../util/failure.ts'
import { ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { Digest } from './canonical.ts'
import type { Change } from './changes.ts'
import { experimentHash } from './definition.ts'
import { keyOf } from './key.ts'
import { linkPath, linkedFolder } from './link.ts'
import type { Manifest } from './manifest.ts'
import { nearestResult } from './nearest.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import { isComplete, prepare, recordOf, sourcesOf, upstream } from './prepare.ts'
import type { PartialRecord, Prepared, Settled } from './prepare.ts'
import type { ResolveRevisions } from './revisions.ts'
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
  readonly stages: readonly StagePlan[]
}

export interface PlanOptions {
  readonly targets?: readonly string[] | undefined
  /** Stages (ids or names) to run although their results are there; true for all. */
  readonly force?: readonly string[] | boolean | undefined
  readonly resolveRevisions: ResolveRevisions
}

/** What a run would do and why. Touches nothing but node_modules/.cache/pipeline. */
export async function planRun(pipeline: Pipeline, options: PlanOptions): Promise<Result<Plan, Failure[]>> {
  const prepared = await prepare(pipeline, options.targets, options.resolveRevisions)
  if (!prepared.ok) return prepared
  const { stages } = await planStages(prepared.value, options.force)
  prepared.value.stats.save()
  return ok({ experiment: experimentHash(prepared.value), stages })
}

export interface Planned {
  readonly stages: readonly StagePlan[]
  /** Results of the stages that are fresh or restored. */
  readonly settled: ReadonlyMap<string, Settled>
  readonly manifests: ReadonlyMap<string, Manifest>
  /** Earlier results of all cells of a stage, newest first. */
  readonly earlier: (name: string) => readonly Manifest[]
}

export async function planStages(prepared: Prepared, force: PlanOptions['force']): Promise<Planned> {
  const settled = new Map<string, Settled>()
  const manifests = new Map<string, Manifest>()
  const stages: StagePlan[] = []
  const states = new Map<string, State>()
  const earlier = memoised((name: string) => prepared.store.manifests(name))
  for (const stage of prepared.stages) {
    const record = recordOf(prepared, stage, settled)
    const key = isComplete(record) ? keyOf(record) : null
    const found = key === null ? undefined : await prepared.store.find(stage.name, key)
    const plan = decide(stage, record, {
      key,
      found,
      forced: isForced(stage, force),
      ...lookup(prepared, stage, key, states, earlier),
    })
    stages.push(plan)
    states.set(stage.id, plan.state)
    if (found?.state === 'whole' && (plan.state === 'fresh' || plan.state === 'restore')) {
      settled.set(stage.id, settledBy(found.manifest))
      manifests.set(stage.id, found.manifest)
    }
  }
  return { stages, settled, manifests, earlier }
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
  /** The stage's link points at the result. */
  readonly linked: boolean
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
  const link = linkedFolder(linkPath(prepared.artifacts, stage))
  return {
    linked: key !== null && link === prepared.store.folder(stage.name, key),
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

function decide(stage: Stage, record: PartialRecord, facts: Facts): StagePlan {
  const plan = (state: State, reason: string, changes: readonly Change[] = []): StagePlan => ({
    stage: stage.id,
    state,
    reason,
    key: facts.key,
    changes,
  })
  if (Object.keys(stage.out).length === 0) return plan('run', 'it has no outputs, so it always runs')
  if (facts.forced) return plan('run', 'forced')
  if (facts.found?.state === 'whole') {
    return facts.linked ? plan('fresh', 'nothing it depends on has changed') : plan('restore', 'it was made before')
  }
  if (facts.found?.state === 'damaged') return plan('run', `its result was damaged: ${facts.found.what}`)
  const nearest = nearestResult(stage, record, facts.sources, facts.earlier())
  if (nearest === undefined) return plan('run', 'it has not run yet')
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
