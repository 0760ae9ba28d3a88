import type { Failure } from '../util/failure.ts'
import { ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { Digest } from './canonical.ts'
import { changedReads } from './causes.ts'
import { waitingChanges } from './changes.ts'
import type { Change } from './changes.ts'
import { estimateOf } from './estimate.ts'
import type { Estimate } from './estimate.ts'
import type { Manifest } from './manifest.ts'
import { nearestResult } from './nearest.ts'
import type { Nearest } from './nearest.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import { planStages, remoteOf } from './plan.ts'
import type { Planned, State } from './plan.ts'
import { prepare, recordOf, sourcesOf } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import type { ResolveRevisions } from './revisions.ts'
import { previewShards } from './shards/preview.ts'
import type { ShardsPlan } from './shards/preview.ts'

/** A stage on the way from what was changed to the stage asked about. */
export interface Step {
  readonly stage: string
  readonly state: State
  readonly reason: string
  readonly changes: readonly Change[]
  /**
   * What it is compared with: of the stage asked about the nearest earlier result, of a stage before it the one that
   * was read then. Null where the store has none.
   */
  readonly since: Since | null
}

export interface Since {
  /** The stage or cell that made it. */
  readonly stage: string
  readonly key: Digest
  readonly ran: Manifest['ran']
}

export interface Explanation {
  readonly stage: string
  readonly state: State
  readonly reason: string
  /** Null where it depends on a stage that has yet to run. */
  readonly key: Digest | null
  /** The chain of causes, each after those that it follows from; the last is the stage itself. */
  readonly steps: readonly Step[]
  /** Null where there is no earlier result. */
  readonly estimate: Estimate | null
  /** The parts in which a stage with `shards` is made: see previewShards. */
  readonly shards?: ShardsPlan | null
}

/**
 * Why a stage, or each cell of one, would run or not. Error: STAGE_UNKNOWN, or what is wrong with the stages. Touches
 * nothing but node_modules/.cache/pipeline.
 */
export async function explainStage(
  pipeline: Pipeline,
  target: string,
  resolveRevisions: ResolveRevisions,
): Promise<Result<readonly Explanation[], Failure[]>> {
  const prepared = await prepare(pipeline, [target], resolveRevisions)
  if (!prepared.ok) return prepared
  // a remote that fails is taken as one that has nothing, as by a run, which says so
  const remote = await remoteOf(pipeline, new AbortController().signal, () => undefined)
  const planned = await planStages(prepared.value, false, remote)
  prepared.value.stats.save()
  const asked = prepared.value.stages.filter(({ id, name }) => id === target || name === target)
  const known = { prepared: prepared.value, planned }
  const explained: Explanation[] = []
  for (const stage of asked) {
    const one = explanation(known, stage)
    if (stage.shards === undefined) explained.push(one)
    else explained.push({ ...one, shards: await previewShards(prepared.value, planned, stage, planOf(known, stage)) })
  }
  return ok(explained)
}

interface Known {
  readonly prepared: Prepared
  readonly planned: Planned
}

function explanation(known: Known, stage: Stage): Explanation {
  const { state, reason, key } = planOf(known, stage)
  const earlier = known.planned.earlier(stage.name)
  const steps = new Map<string, Step>()
  follow(known, stage, earlier, steps)
  return { stage: stage.id, state, reason, key, steps: [...steps.values()], estimate: estimateOf(stage, earlier) }
}

const planOf = ({ planned }: Known, stage: Stage) => planned.stages.find((plan) => plan.stage === stage.id)!

/** Adds what a stage's differences from the nearest of `results` follow from, and then the stage. */
function follow(known: Known, stage: Stage, results: readonly Manifest[], steps: Map<string, Step>): void {
  const nearest = nearestResult(stage, record(known, stage), sourcesOf(known.prepared, stage), results)
  const id = `${stage.id} ${nearest?.manifest.key ?? ''}`
  if (steps.has(id)) return
  for (const { ref, before } of nearest === undefined ? [] : changedReads(known.planned, stage, nearest.manifest)) {
    const source = known.prepared.byId.get(ref.stage)!
    const read = known.planned.earlier(source.name).filter(({ outputs }) => outputs[ref.output]?.digest === before)
    follow(known, source, read, steps)
  }
  steps.set(id, step(known, stage, nearest))
}

const record = ({ prepared, planned }: Known, stage: Stage) => recordOf(prepared, stage, planned.settled)

function step(known: Known, stage: Stage, nearest: Nearest | undefined): Step {
  const { state, reason } = planOf(known, stage)
  if (nearest === undefined) return { stage: stage.id, state, reason, changes: [], since: null }
  const { manifest, changes } = nearest
  const waiting = waitingChanges(stage, manifest.record.in, record(known, stage).in)
  const since = { stage: manifest.stage, key: manifest.key, ran: manifest.ran }
  return { stage: stage.id, state, reason, changes: [...changes, ...waiting], since }
}
