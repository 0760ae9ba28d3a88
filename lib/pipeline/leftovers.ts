import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { livingKeys, tryAcquire } from '../util/lock.ts'
import type { Digest } from './canonical.ts'
import { remove } from './files.ts'
import { DAY_MS, KEPT_DAYS } from './kept-days.ts'
import { runsFolder } from './live.ts'
import type { Store } from './store.ts'
import { sizes } from './usage.ts'

/** What a run that is dead left in a stage's folder. */
export interface Leftover {
  readonly path: string
  readonly bytes: number
}

/**
 * Temporary folders of dead runs, and stale checkpoints and outputs of failed stages: their result is there by now, or
 * nothing was written to them for `days`, 7 if not said. Sorted by path.
 */
export function staleLeftovers(store: Store, days: number | undefined): Leftover[] {
  const size = sizes()
  return store.stages().flatMap((stage) => {
    const folder = store.stageFolder(stage)
    const busy = livingKeys(folder)
    const paths = readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
    const stale = paths.filter((path) => !busy.has(keyOf(path) ?? '') && isStale(path, days))
    return stale.map((path) => ({ path, bytes: size.tree(path) }))
  })
}

/** Removes what is still stale once its key's lock is had, and the locks of dead processes. Gives what it removed. */
export function removeLeftovers(store: Store, leftovers: readonly Leftover[], days: number | undefined): Leftover[] {
  const removed = leftovers.filter(({ path }) => {
    const [folder, key] = [dirname(path), keyOf(path)!]
    const lock = tryAcquire(folder, key)
    const stale = lock !== undefined && isStale(path, days)
    // half a checkpoint must never be gone on with
    if (stale) remove(store.abandon(basename(folder), key, path))
    lock?.release()
    return stale
  })
  for (const folder of [runsFolder(store), ...store.stages().map((stage) => store.stageFolder(stage))])
    clearDeadLocks(folder)
  return removed
}

/** The key in the name of what a run has beside its result. */
const keyOf = (path: string): Digest | undefined =>
  /^\.(?:tmp|failed|checkpoint|extend)-([0-9a-f]{64})/.exec(basename(path))?.[1] as Digest | undefined

function isStale(path: string, days = KEPT_DAYS): boolean {
  const key = keyOf(path)
  if (key === undefined || !existsSync(path)) return false
  const isDone = existsSync(join(dirname(path), key))
  if (basename(path).startsWith('.extend-')) return !isDone
  if (basename(path).startsWith('.tmp-') || isDone) return true
  return lastWrite(path) <= Date.now() - days * DAY_MS
}

/** In ms since 1970, of all at and below a path. */
export function lastWrite(path: string): number {
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => lastWrite(join(path, name))))
}

function clearDeadLocks(folder: string): void {
  const living = livingKeys(folder)
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const key = /^\.lock-([0-9a-f]+)-/.exec(name)?.[1]
    if (key !== undefined && !living.has(key)) tryAcquire(folder, key)?.release()
  }
}
