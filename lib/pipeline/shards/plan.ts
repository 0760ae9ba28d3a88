import { existsSync, readdirSync } from 'node:fs'
import type { Digest } from '../canonical.ts'
import { keyOf } from '../key.ts'
import type { KeyRecord } from '../key.ts'
import { readManifest } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import type { Stage } from '../pipeline.ts'
import type { UnitRange } from '../../util/unit-range.ts'
import { isKey } from '../store.ts'
import type { Store } from '../store.ts'
import { shardsName } from './names.ts'
import { shardId, shardRecord, shardStage } from './shard.ts'
import type { ShardStage } from './shard.ts'
import { tile } from './tiling.ts'

/** A part of the work, and its result if that is there. There may be a million: what it is as a stage is made when asked. */
export class Planned implements UnitRange {
  readonly from: number
  readonly to: number
  readonly index: number
  readonly manifest: Manifest | undefined
  readonly #cut: Cut

  constructor(cut: Cut, { from, to }: UnitRange, index: number, manifest: Manifest | undefined) {
    this.#cut = cut
    this.from = from
    this.to = to
    this.index = index
    this.manifest = manifest
  }

  get id(): string {
    return shardId(this.#cut.whole.stage, this.index, this.#cut.count)
  }

  get shard(): ShardStage {
    return shardStage(this.#cut.whole, this, this.#cut.units, [this.index, this.#cut.count])
  }
}

/** What the parts of a result have in common. */
interface Cut {
  readonly whole: Whole
  readonly units: number
  readonly count: number
}

/** A stage and its result's key. */
export interface Whole {
  readonly stage: Stage
  readonly record: KeyRecord
  readonly key: Digest
}

/** The parts of which a result is made: those that are there, whole, are taken, unless all is to be done anew. */
export async function planShards(store: Store, whole: Whole, units: number, anew: boolean): Promise<Planned[]> {
  const { stage, key } = whole
  const there = anew ? new Map<string, Manifest>() : manifestsOf(store, whole, units)
  for (;;) {
    const ranges = [...there.values()].map(({ record }) => record.shard!)
    const tiles = tile(units, stage.shards ?? 1, ranges)
    const cut = { whole, units, count: tiles.length }
    const planned = tiles.map((one, index) => {
      const manifest = one.there
        ? there.get(keyOf(shardRecord(whole.record, { from: one.from, to: one.to, of: units })))
        : undefined
      return new Planned(cut, one, index, manifest)
    })
    const bad = await damaged(store, shardsName(stage.name, key), planned)
    if (bad.length === 0) return planned
    for (const one of bad) there.delete(one)
  }
}

/** By key, of the parts of this very result in the store; whether their files are whole is not looked at. */
function manifestsOf(store: Store, { stage, record, key }: Whole, units: number): Map<string, Manifest> {
  const name = shardsName(stage.name, key)
  const keys = existsSync(store.stageFolder(name)) ? readdirSync(store.stageFolder(name)).filter(isKey) : []
  const found = keys.flatMap((one): [string, Manifest][] => {
    const manifest = readManifest(store.folder(name, one), one)
    const shard = manifest?.record.shard
    // a folder is named by some digits of the result's key: the part's own key says all
    return shard?.of === units && keyOf(shardRecord(record, shard)) === one ? [[one, manifest!]] : []
  })
  return new Map(found)
}

async function damaged(store: Store, name: string, planned: readonly Planned[]): Promise<Digest[]> {
  const bad: Digest[] = []
  for (const { manifest } of planned)
    if (manifest !== undefined && (await store.find(name, manifest.key)).state !== 'whole') bad.push(manifest.key)
  return bad
}
