import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../util/durable.ts'
import { Failure } from '../util/failure.ts'
import { acquire, livingKeys, tryAcquire } from '../util/lock.ts'
import type { Lock } from '../util/lock.ts'
import { sha256 } from './canonical.ts'
import { token } from './files.ts'
import { Presence, clockAhead } from './presence.ts'
import { storeFailure } from './store-failure.ts'
import { registerUser } from './store-users.ts'
import type { ResultPlace, Store } from './store.ts'

/**
 * How runs and gc in processes of their own get along. A run holds a lock of its own, with the time of its start in
 * the key, as long as it lives; every result it takes it marks as used. gc keeps what was used since the oldest living
 * run began. What a run plans to take it marks within the lock `CLAIM`, in which gc chooses and takes away; what it
 * takes later it marks within the lock of the result's key, which gc holds too.
 */
const CLAIM = sha256('claim')

/** Clocks of file systems are coarse, and those of machines are set back: then rather more is kept. */
const MARGIN_MS = 60_000

const START_DIGITS = 12

export const runsFolder = (store: Pick<Store, 'root'>): string => join(store.root, '.runs')

/** Says that a run lives, until it is released; undefined where the store cannot be written, by gc neither. */
export function goLive(store: Store): Pick<Lock, 'key' | 'release'> | undefined {
  refuseDangling(store)
  try {
    makeFolder(runsFolder(store))
    registerUser(store.root)
    // gc on another machine, whose clock may be another, holds the start against when results were used
    const ahead = clockAhead(runsFolder(store))
    const start = Math.floor(Date.now() + ahead)
      .toString(16)
      .padStart(START_DIGITS, '0')
    const lock = tryAcquire(runsFolder(store), `${start}${token()}`)
    if (lock !== undefined) store.beginUse(new Presence(store.root, lock.file, ahead))
    return lock
  } catch (error) {
    storeFailure(error, 'a run began')
    return undefined
  }
}

/** `artifacts` or the store in it may be a link of the user's to another disk, which is not there today. */
function refuseDangling(store: Store): void {
  const paths = [dirname(store.root), store.root]
  const link = paths.find((path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() && !existsSync(path))
  if (link === undefined) return
  const message = `"${link}" is a link to "${readlinkSync(link)}", which is not there. Mount or make it, or remove the link.`
  throw new Failure('STORE_MISSING', message, { exitCode: 1 })
}

/**
 * Marks results as used by a run that lives. False where one of them is gone, because gc was quicker, and where the run
 * was stopped meanwhile.
 */
export async function claim(store: Store, results: readonly ResultPlace[], signal: AbortSignal): Promise<boolean> {
  const lock = await claimLock(store, signal).catch((error: unknown) => {
    if (!signal.aborted) storeFailure(error, 'results were claimed')
    return undefined
  })
  if (lock === undefined) return !signal.aborted
  try {
    return results.map(({ stage, key }) => store.use(stage, key)).every(Boolean)
  } finally {
    lock.release()
  }
}

/** Nobody claims a result while it is held. */
export const claimLock = (store: Store, signal: AbortSignal): Promise<Lock> =>
  acquire(store.root, CLAIM, signal, () => undefined)

/** Whether a result used last at this time (ms since 1970) may be needed by a run that lives now. */
export function neededByRuns(store: Store): (usedAt: number) => boolean {
  const starts = [...livingKeys(runsFolder(store))].map((key) => parseInt(key.slice(0, START_DIGITS), 16))
  return (usedAt) => starts.some((start) => usedAt >= start - MARGIN_MS)
}
