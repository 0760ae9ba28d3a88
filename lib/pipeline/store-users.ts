import { readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeFolder } from '../util/durable.ts'
import { errorCode } from '../util/error-code.ts'
import { Failure } from '../util/failure.ts'
import { thisHost } from '../util/this-host.ts'
import { digestOf } from './canonical.ts'
import { messageOf, readJson, writeAtomic } from './files.ts'

/**
 * A folder whose `artifacts` or `artifacts/store` is a link, as the store knows it: its experiments are in no place that
 * another folder with this store would look into.
 */
interface User {
  readonly folder: string
  readonly host: string
  /** Tells the folder from another machine's with the same path: both may mount the store. */
  readonly identity: string
}

const USERS = '.users'

/** Notes in the store of a folder that it uses it, so that gc elsewhere keeps what its experiments need. */
export function registerUser(storeRoot: string): void {
  makeFolder(storeRoot)
  // `artifacts/store` in the folder
  const folder = realpathSync(dirname(dirname(storeRoot)))
  if (realpathSync(storeRoot) === join(folder, basename(dirname(storeRoot)), basename(storeRoot))) return
  const user: User = { folder, host: thisHost(), identity: identityOf(folder) }
  const file = join(storeRoot, USERS, `${digestOf([folder, user.identity])}.json`)
  const known = readJson(file) as Partial<User> | undefined
  if (known?.host !== user.host) writeAtomic(file, JSON.stringify(user))
}

/**
 * The folders whose experiments may need results of the store of `root`: itself first. One that is gone, or has another
 * store by now, needs none. Throws Failure STORE_USER_UNREADABLE where it cannot be told what one needs.
 */
export function usersOf(root: string, storeRoot: string): readonly string[] {
  const store = placeOf(storeRoot)
  if (store === undefined) return [root]
  const own = realpathSync(root)
  const owner = basename(dirname(store)) === 'artifacts' ? [dirname(dirname(store))] : []
  const noted = namesIn(join(storeRoot, USERS)).filter((name) => name.endsWith('.json'))
  const others = [...owner, ...noted.flatMap((name) => folderOf(join(storeRoot, USERS, name), store) ?? [])]
  const distinct = [...new Set(others)].filter((folder) => folder !== own)
  for (const folder of distinct) refuseUnreadable(folder)
  return [root, ...distinct]
}

/** Where a user's folder is, undefined where it uses this store no more. */
function folderOf(file: string, store: string): string | undefined {
  const { folder, host, identity } = (readJson(file) ?? {}) as Partial<User>
  if (folder === undefined) throw unreadable(file, 'The note of a folder that uses this store is not whole')
  const isHere = placeOf(join(folder, 'artifacts', 'store')) === store
  if (isHere && (host === thisHost() || identity === identityOf(folder))) return folder
  if (host === thisHost()) return undefined
  throw unreadable(file, `"${folder}" on another machine uses this store, and its experiments cannot be seen from here`)
}

/** Folders that keep their experiments to themselves are not taken for such that have none. */
function refuseUnreadable(folder: string): void {
  for (const part of ['artifacts', join('artifacts', 'experiments'), 'experiments']) namesIn(join(folder, part))
}

/** Names in a folder; none where it is not there. */
function namesIn(folder: string): string[] {
  return orGone(folder, () => readdirSync(folder)) ?? []
}

const placeOf = (path: string): string | undefined => orGone(path, () => realpathSync(path))

function orGone<T>(path: string, look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined
    const message = `Another folder uses this store, and what it needs cannot be told: ${messageOf(error)}. Make "${path}" readable, or run gc as who can read it.`
    throw new Failure('STORE_USER_UNREADABLE', message, { exitCode: 1 })
  }
}

function unreadable(file: string, what: string): Failure {
  const message = `${what}, so that nobody knows what is free to go. Run gc where it is, or remove "${file}" if it needs nothing here any more.`
  return new Failure('STORE_USER_UNREADABLE', message, { exitCode: 1 })
}

function identityOf(folder: string): string {
  const { ino, birthtimeNs } = statSync(folder, { bigint: true })
  return `${ino} ${birthtimeNs}`
}
