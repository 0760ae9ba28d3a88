import type { Digest } from '../canonical.ts'
import type { Stage } from '../pipeline.ts'
import type { Planned as PlannedStages, StagePlan } from '../plan.ts'
import { isComplete, recordOf, upstream } from '../prepare.ts'
import type { Prepared } from '../prepare.ts'
import { planShards } from './plan.ts'
import { unitsOf } from './units.ts'

/** The parts in which a stage would be made. */
export interface ShardsPlan {
  /** What is counted, and how many there are. */
  readonly unit: string
  readonly units: number
  readonly shards: readonly ShardPlan[]
}

export interface ShardPlan {
  readonly name: string
  readonly state: 'fresh' | 'run'
  readonly key: Digest
  readonly from: number
  readonly to: number
}

/**
 * The parts in which a stage that will run is made; null where it has none, where they depend on what is yet to be made or
 * fetched, and where the stage cannot count its work, which a run says.
 */
export async function previewShards(
  prepared: Prepared,
  { settled, here }: PlannedStages,
  stage: Stage,
  { state, reason, key }: StagePlan,
): Promise<ShardsPlan | null> {
  const record = recordOf(prepared, stage, settled)
  if (stage.shards === undefined || state !== 'run' || key === null || !isComplete(record)) return null
  if (!upstream(stage).every((id) => here.has(id))) return null
  const asked = { prepared, settled, signal: new AbortController().signal }
  const units = await unitsOf(asked, stage, key).catch(() => undefined)
  if (units === undefined) return null
  const planned = await planShards(prepared.store, { stage, record, key }, units, reason === 'forced')
  const shards = planned.map(({ stage: { id: name }, manifest, key: own, from, to }): ShardPlan => {
    return { name, state: manifest === undefined ? 'run' : 'fresh', key: own, from, to }
  })
  return { unit: prepared.identities.get(stage.id)?.unit ?? 'units', units, shards }
}
