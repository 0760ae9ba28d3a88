import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../util/error-code.ts'
import type { Digest } from './canonical.ts'
import { neededByRuns } from './live.ts'
import { recordedNeeds } from './needs.ts'
import type { Need } from './needs.ts'
import { usersOf } from './store-users.ts'
import { extensionsOf } from './extension.ts'
import { isWaiting } from './shards/waiting.ts'
import { isKey } from './store.ts'
import type { ResultPlace, Store } from './store.ts'

/** A result, how large it is, and who needs it. */
export interface ResultUsage extends ResultPlace {
  readonly bytes: number
  /** When a run last made or took it, in ms since 1970. */
  readonly usedAt: number
  readonly needs: readonly Need[]
}

export interface StageUsage {
  readonly stage: string
  /** Its results, and what failed, stopped and living runs have beside them. */
  readonly bytes: number
  readonly results: readonly ResultUsage[]
}

export interface StoreUsage {
  /** All at and below `artifacts/store`, as `du -b` counts. */
  readonly bytes: number
  /** What was moved aside, damaged or a user's own: gc leaves it. */
  readonly asideBytes: number
  readonly stages: readonly StageUsage[]
}

/** Whether gc may take a result. */
export const isFree = ({ needs }: Pick<ResultUsage, 'needs'>): boolean => needs.every((need) => need === 'recorded')

/** The size and the needs of every result in the store. Throws Failure PIN_UNREADABLE, STORE_USER_UNREADABLE. */
export function measureStore(root: string, store: Store): StoreUsage {
  const size = sizes()
  const needs = needsOf(root, store)
  const stages = store.stages().map((stage) => measureStage(store, stage, size, needs))
  const asideBytes = size.tree(join(store.root, '.aside'))
  const rest =
    size.own(store.root) + names(store.root).reduce((sum, name) => sum + size.tree(join(store.root, name)), 0)
  return { bytes: rest + asideBytes + stages.reduce((sum, stage) => sum + stage.bytes, 0), asideBytes, stages }
}

type NeedsOf = (place: ResultPlace, usedAt: number) => readonly Need[]

/** Asked when a result is about to go, it says what is so at that time for runs, and at its making for all else. */
export function needsOf(root: string, store: Store): NeedsOf {
  const users = usersOf(root, store.root).map((folder) => ({ folder, recorded: recordedNeeds(folder) }))
  const running = neededByRuns(store)
  return ({ stage, key }, usedAt) => {
    const needs = users.flatMap(({ folder, recorded }) => recorded(join(folder, 'artifacts', 'store', stage, key)))
    const part = isWaiting(store, stage, usedAt) ? (['part'] as const) : []
    return [...(running(usedAt) ? (['running'] as const) : []), ...part, ...new Set(needs)]
  }
}

function measureStage(store: Store, stage: string, size: Sizes, needs: NeedsOf): StageUsage {
  const folder = store.stageFolder(stage)
  const results: ResultUsage[] = []
  let bytes = size.own(folder)
  for (const name of names(folder)) {
    if (name.startsWith('.extend-')) continue // counted with its result
    const own = size.tree(join(folder, name))
    bytes += own
    if (!isKey(name)) continue
    const place = { stage, key: name as Digest }
    const extensions = extensionsOf(folder, name).reduce((sum, path) => sum + size.tree(path), 0)
    bytes += extensions
    const usedAt = store.usedAt(stage, place.key)
    if (usedAt !== undefined) results.push({ ...place, bytes: own + extensions, usedAt, needs: needs(place, usedAt) })
  }
  return { stage, bytes, results }
}

interface Sizes {
  /** Bytes of what stands at a path, without what is below it. */
  readonly own: (path: string) => number
  readonly tree: (path: string) => number
}

/** Sizes of all that was not met before: of the links to one file the first counts. What is gone has none. */
export function sizes(): Sizes {
  const seen = new Set<string>()
  const own = (path: string): number => {
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    const id = stat === undefined ? '' : `${stat.dev} ${stat.ino}`
    if (stat === undefined || seen.has(id)) return 0
    seen.add(id)
    return Number(stat.size)
  }
  const tree = (path: string): number => names(path).reduce((sum, name) => sum + tree(join(path, name)), own(path))
  return { own, tree }
}

/** Names in a folder, sorted; none in a file or a link. */
function names(path: string): string[] {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return []
  try {
    return readdirSync(path).sort()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [] // a run has just finished with it
    throw error
  }
}
