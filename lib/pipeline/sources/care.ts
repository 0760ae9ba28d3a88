import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Digest } from '../canonical.ts'
import { listExperiments } from '../experiment.ts'
import { remove, token } from '../files.ts'
import { DAY_MS } from '../kept-days.ts'
import type { Leftover } from '../leftovers.ts'
import { neededByRuns } from '../live.ts'
import { putAside } from '../link.ts'
import { artifactsOf } from '../prepare.ts'
import { pathHere } from '../recorded.ts'
import type { StatCache } from '../stat-cache.ts'
import { contentOf } from '../stage-inputs.ts'
import { isKey } from '../store.ts'
import type { Store } from '../store.ts'
import { Commit } from './commit.ts'
import { laySource } from './lay.ts'
import { isWhole, writePack } from './pack.ts'
import { copiesOf, poolOf, usedAt } from './pool.ts'

/** What a run that is about to begin has kept is younger. */
const YOUNG_MS = 60_000

/** All copies of sources, and what a killed run left of one. Sorted by path. */
export function keptSources(root: string): Leftover[] {
  const pool = poolOf(root)
  const names = existsSync(pool) ? readdirSync(pool).sort() : []
  return names.flatMap((name) => {
    const stat = statSync(join(pool, name), { throwIfNoEntry: false })
    return stat?.isFile() === true ? [{ path: join(pool, name), bytes: stat.size }] : []
  })
}

/**
 * Copies that no recorded experiment needs; with `days` also those of experiments neither pinned nor tagged that were
 * not used for so long. None that a run which lives may have kept.
 */
export function staleSources(root: string, store: Store, days: number | undefined): Leftover[] {
  const sources = keptSources(root)
  if (sources.length === 0) return []
  const isStale = staleness(root, store, days)
  return sources.filter(({ path }) => isStale(path))
}

/** Removes those that still are stale, and gives them. */
export function removeSources(
  root: string,
  store: Store,
  stale: readonly Leftover[],
  days: number | undefined,
): Leftover[] {
  if (stale.length === 0) return []
  const isStale = staleness(root, store, days)
  return stale.filter(({ path }) => {
    if (!existsSync(path) || !isStale(path)) return false
    remove(path)
    return true
  })
}

function staleness(root: string, store: Store, days: number | undefined): (path: string) => boolean {
  const all = listExperiments(root)
  const digests = (experiments: typeof all) =>
    new Set(experiments.flatMap(({ record }) => Object.values(record.sources)))
  const recorded = digests(all)
  const fixed = digests(all.filter(({ pinned, tags }) => pinned || tags.length > 0))
  const running = neededByRuns(store)
  return (path) => {
    const used = usedAt(path)
    if (used === undefined || running(used) || used > Date.now() - YOUNG_MS) return false
    const digest = basename(path) as Digest
    if (!recorded.has(digest)) return true
    return days !== undefined && !fixed.has(digest) && used <= Date.now() - days * DAY_MS
  }
}

export interface DamagedSource {
  readonly digest: Digest
  /** The copy's place. */
  readonly path: string
  /** Where it was moved. */
  readonly aside: string
  /** Made anew, from the working tree, a pin, git or the remote. */
  readonly healed: boolean
}

export interface VerifiedSources {
  readonly copies: number
  readonly bytes: number
  readonly damaged: readonly DamagedSource[]
}

/** Reads every copy again; moves what is damaged aside, and makes it anew where what it is of is somewhere. */
export async function verifySources(root: string, stats: StatCache): Promise<VerifiedSources> {
  const copies = keptSources(root).filter(({ path }) => isKey(basename(path)))
  const damaged: DamagedSource[] = []
  for (const { path } of copies) {
    const digest = basename(path) as Digest
    if (isWhole(path, digest)) continue
    const aside = putAside(artifactsOf(root), path, `source-${digest.slice(0, 12)}`)
    damaged.push({ digest, path, aside, healed: await heal(root, digest, stats) })
  }
  return { copies: copies.length, bytes: copies.reduce((sum, { bytes }) => sum + bytes, 0), damaged }
}

async function heal(root: string, digest: Digest, stats: StatCache): Promise<boolean> {
  const readers = listExperiments(root).flatMap(({ record }) =>
    Object.entries(record.sources).flatMap(([path, found]) => (found === digest ? [{ record, path }] : [])),
  )
  for (const { record, path } of readers) {
    const copies = copiesOf(root, record.hash, digest)
    const here = resolve(root, pathHere(path))
    if ((await contentOf(stats, here)) === digest) return writePack(copies[0], { path: here, digest }, stats)
    const draft = join(poolOf(root), `.${token()}`)
    try {
      const commit = await Commit.find(root, record.git.commit)
      if ((await laySource({ digest, here, copies, commit }, draft, stats)) === undefined) return true
    } finally {
      remove(draft)
    }
  }
  return false
}
