import { existsSync, readdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { livingKeys } from '../util/lock.ts'
import { remove, token } from './files.ts'
import { DAY_MS, KEPT_DAYS } from './kept-days.ts'
import { lastWrite } from './leftovers.ts'
import type { Leftover } from './leftovers.ts'
import type { Store } from './store.ts'
import { sizes } from './usage.ts'

const PREFIX = '.reproduce-'
/** One that is on its way out: a gc that is killed leaves it to the next. */
const GONE = `${PREFIX}gone-`

/** A folder of its own for each `reproduce`: what differs or failed stays there for a look, all else goes with its end. */
export const newReproduction = (artifacts: string): string => join(artifacts, `${PREFIX}${token()}`)

/** All that there are beside a store, with what they take. Sorted by path. */
export function reproductions(store: Store): Leftover[] {
  const artifacts = dirname(store.root)
  const names = existsSync(artifacts) ? readdirSync(artifacts).filter((name) => name.startsWith(PREFIX)) : []
  const size = sizes()
  return names.sort().map((name) => ({ path: join(artifacts, name), bytes: size.tree(join(artifacts, name)) }))
}

/** Those of dead processes, and those that ended and nothing was written to for `days`, 7 if not said. */
export const staleReproductions = (store: Store, days: number | undefined): Leftover[] =>
  reproductions(store).filter(({ path }) => isStale(path, days))

/** Removes those that still are stale, and gives them. */
export function removeReproductions(stale: readonly Leftover[], days: number | undefined): Leftover[] {
  return stale.filter(({ path }) => {
    if (!existsSync(path) || !isStale(path, days)) return false
    const gone = join(dirname(path), `${GONE}${token()}`)
    renameSync(path, gone)
    remove(gone)
    return true
  })
}

function isStale(path: string, days = KEPT_DAYS): boolean {
  if (path.startsWith(join(dirname(path), GONE))) return true
  // a stage outlives its killed driver for a moment
  const folders = foldersIn(join(path, 'store'))
  if (folders.some((folder) => livingKeys(folder).size > 0)) return false
  return wasKilled(path) || lastWrite(path) <= Date.now() - days * DAY_MS
}

/** Who comes to his end takes his lock away: see live.ts. */
const wasKilled = (path: string): boolean => {
  const runs = join(path, 'store', '.runs')
  return existsSync(runs) && readdirSync(runs).some((name) => name.startsWith('.lock-'))
}

function foldersIn(folder: string): string[] {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []
  return [folder, ...entries.flatMap((entry) => (entry.isDirectory() ? join(folder, entry.name) : []))]
}
