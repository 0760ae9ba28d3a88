import type { Digest } from '../canonical.ts'
import type { Stage } from '../pipeline.ts'
import type { Planned as PlannedStages, StagePlan } from '../plan.ts'
import { isComplete, recordOf, upstream } from '../prepare.ts'
import type { Prepared } from '../prepare.ts'
import { planShards } from './plan.ts'
import { unitsOf } from './units.ts'

/** The parts in which a stage would be made. */
export interface ShardsPlan {
  /** As many as pipeline.yaml asks for. */
  readonly asked: number
  /** What is counted, and how many there are. */
  readonly unit: string
  /**
   * Null where that depends on what is yet to be made or fetched, and where the stage cannot count its work, which a run
   * says.
   */
  readonly units: number | null
  /** Empty where the units are not known. */
  readonly shards: readonly ShardPlan[]
}

export interface ShardPlan {
  readonly name: string
  readonly state: 'fresh' | 'run'
  readonly key: Digest
  readonly from: number
  readonly to: number
}

/** The parts in which a stage is made that will run, or may; null where it has none, or does not run. */
export async function previewShards(
  prepared: Prepared,
  planned: PlannedStages,
  stage: Stage,
  plan: StagePlan,
): Promise<ShardsPlan | null> {
  const { shards: asked } = stage
  if (asked === undefined || (plan.state !== 'run' && plan.state !== 'may-run')) return null
  const unit = prepared.identities.get(stage.id)?.unit ?? 'units'
  const known = { asked, unit, units: null, shards: [] }
  const [record, key] = [recordOf(prepared, stage, planned.settled), plan.key]
  if (key === null || !isComplete(record) || !upstream(stage).every((id) => planned.here.has(id))) return known
  const question = { prepared, settled: planned.settled, signal: new AbortController().signal }
  const units = await unitsOf(question, stage, key).catch(() => null)
  if (units === null) return known
  const parts = await planShards(prepared.store, { stage, record, key }, units, plan.reason === 'forced')
  const shards = parts.map(({ id: name, shard, manifest, from, to }): ShardPlan => {
    return { name, state: manifest === undefined ? 'run' : 'fresh', key: shard.key, from, to }
  })
  return { ...known, units, shards }
}
