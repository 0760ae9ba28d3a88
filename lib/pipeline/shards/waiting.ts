import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { livingKeys } from '../../util/lock.ts'
import { DAY_MS, KEPT_DAYS } from '../kept-days.ts'
import { runsFolder } from '../live.ts'
import { isKey } from '../store.ts'
import type { Store } from '../store.ts'
import { wholeOf } from './names.ts'

/**
 * Whether what is in this folder of the store are parts that wait for others: the result that is made of them is not
 * there, and this part was used within some days, as with checkpoints.
 */
export function isWaiting(store: Store, name: string, usedAt: number): boolean {
  const whole = wholeOf(name)
  if (whole === undefined || usedAt <= Date.now() - KEPT_DAYS * DAY_MS) return false
  const folder = store.stageFolder(whole.stage)
  return !existsSync(folder) || !readdirSync(folder).some((key) => isKey(key) && key.startsWith(whole.digits))
}

/** Takes away the folders of results whose parts are all gone, unless a run lives, which may be about to lock a part. */
export function dropEmptyFolders(store: Store): void {
  if (livingKeys(runsFolder(store)).size > 0) return
  const folders = store.stages().flatMap((name) => (wholeOf(name) === undefined ? [] : store.stageFolder(name)))
  for (const folder of folders) if (readdirSync(folder).length === 0) rmdirSync(folder)
}
