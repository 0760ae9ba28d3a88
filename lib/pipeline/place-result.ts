import { existsSync, readdirSync, renameSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from '../util/error-code.ts'
import { readManifest } from './manifest.ts'
import type { Manifest } from './manifest.ts'

/** As long as a client of NFS takes a name that it did not find for one that is not there, if nobody set it otherwise. */
const LATE_MS = 60_000
const POLL_MS = 100

/**
 * Gives a whole result its place by one rename. Where another machine's is there by now, which only comes of a lock that
 * failed, its manifest. What is there and is no result is retired.
 */
export async function placeResult(
  made: string,
  place: string,
  manifest: Manifest,
  retire: () => string,
): Promise<Manifest | undefined> {
  for (let tried = 1; ; tried++) {
    try {
      renameSync(made, place)
      return undefined
    } catch (error) {
      const isTaken = tellsOfTaken(errorCode(error), place)
      // a server that is asked twice, as its first answer was lost, finds nothing to rename any more
      const isLost = errorCode(error) === 'ENOENT' && !existsSync(made)
      if (!isTaken && !isLost) throw error
      const there = await manifestAt(place, manifest.key, isTaken)
      if (there !== undefined) return isSame(there, manifest) ? undefined : there
      if (isLost || tried > 2) throw error
      retire()
    }
  }
}

/** By sshfs a rename fails of EPERM, whatever the reason. */
const tellsOfTaken = (code: string | undefined, place: string): boolean =>
  code === 'ENOTEMPTY' || code === 'EEXIST' || (code === 'EPERM' && existsSync(place))

const isSame = (a: Manifest, b: Manifest): boolean => JSON.stringify(a) === JSON.stringify(b)

async function manifestAt(place: string, key: string, isTaken: boolean): Promise<Manifest | undefined> {
  const found = readManifest(place, key)
  if (found !== undefined || !isTaken || existsSync(place)) return found
  await shows(dirname(place), basename(place))
  return readManifest(place, key)
}

/** Waits until what a folder lists is found in it too; false where it is not listed, or not found for long. */
export async function shows(folder: string, name: string): Promise<boolean> {
  for (const end = performance.now() + LATE_MS; performance.now() < end;) {
    if (!lists(folder, name)) return false
    if (existsSync(`${folder}/${name}`)) return true
    await delay(POLL_MS)
  }
  return false
}

function lists(folder: string, name: string): boolean {
  try {
    return readdirSync(folder).includes(name)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
