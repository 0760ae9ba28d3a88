import type { Digest } from '../canonical.ts'
import { keyOf } from '../key.ts'
import type { KeyRecord } from '../key.ts'
import type { Input, Shard, Stage } from '../pipeline.ts'
import type { UnitRange } from '../../util/unit-range.ts'
import { PART, PARTS, shardsName } from './names.ts'

/** A part of a stage's work as a stage of its own: its result is kept beside the results of the stage. */
export interface ShardStage {
  readonly stage: Stage
  readonly record: KeyRecord
  readonly key: Digest
}

const OUT = { [PART]: PART }

/** What the result of a part depends on: what that of the whole does, and the units. Not on how many parts there are. */
export const shardRecord = (record: KeyRecord, shard: Shard): KeyRecord => ({ ...record, out: OUT, shard })

export const shardId = ({ id }: Pick<Stage, 'id'>, index: number, count: number): string =>
  `${id}[shard ${index + 1}/${count}]`

/** Part `index` of `count` of the stage whose result has this key. */
export function shardStage(
  whole: { readonly stage: Stage; readonly record: KeyRecord; readonly key: Digest },
  { from, to }: UnitRange,
  units: number,
  [index, count]: readonly [number, number],
): ShardStage {
  const shard = { from, to, of: units }
  const record = shardRecord(whole.record, shard)
  const stage: Stage = {
    ...whole.stage,
    id: shardId(whole.stage, index, count),
    name: shardsName(whole.stage.name, whole.key),
    out: OUT,
    piece: { kind: 'shard', shard },
  }
  return { stage, record, key: keyOf(record) }
}

/** What the parts were made on and how long, in sum. */
export interface Spent {
  readonly devices: ReadonlySet<string>
  readonly seconds: number
}

/** The stage whose work is what is left when all parts are there: it reads these too. */
export function mergeStage(stage: Stage, parts: readonly string[], { devices, seconds }: Spent): Stage {
  const cells = Object.fromEntries(parts.map((id) => [id, { stage: id, output: PART }]))
  const read: Input = { kind: 'gather', cells }
  const device = devices.size === 0 ? null : [...devices].join('; ')
  const piece = { kind: 'merge', shards: parts.length, device, seconds } as const
  return { ...stage, in: { ...stage.in, [PARTS]: read }, piece }
}
