import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '../canonical.ts'
import { readJson, remove } from '../files.ts'
import type { Batch } from './order.ts'
import { BATCH } from './order.ts'
import { hasEnded } from './queue.ts'
import type { Row } from './queue.ts'

/** Where a job's order lies, and what Slurm calls it. */
export interface JobPlace {
  readonly folder: string
  readonly token: string
  readonly index: number
  /** As scancel takes it: `123`, or `123_4` of an array. */
  readonly id: string
  /** Whether all jobs that were handed in with it, and have not ended, are this run's. */
  readonly alone: boolean
}

/** Nobody looks any more at what jobs wrote that ended so long ago. */
const STALE_MS = 3_600_000

/** The jobs that Slurm still has, by the key that they make. Removes the orders of those that it has not for long. */
export function livingJobs(folder: string, rows: readonly Row[], wanted: ReadonlySet<Digest>): Map<Digest, JobPlace> {
  const living = new Map<Digest, JobPlace>()
  const byToken = new Map<string, Row[]>()
  for (const row of rows) {
    if (hasEnded(row.state)) continue
    const others = byToken.get(row.token)
    if (others === undefined) byToken.set(row.token, [row])
    else others.push(row)
  }
  for (const token of namesIn(folder)) {
    const place = join(folder, token)
    const rowsHere = byToken.get(token) ?? []
    if (rowsHere.length === 0) {
      removeStale(place)
      continue
    }
    const { keys = [] } = (readJson(join(place, BATCH)) ?? {}) as Partial<Batch>
    const alone = rowsHere.every(({ index }) => wanted.has(keys[index]!))
    for (const { index, id } of rowsHere) {
      const key = keys[index]
      if (key !== undefined) living.set(key, { folder: place, token, index, id, alone })
    }
  }
  return living
}

/** Whether there may be jobs of an earlier run. */
export const hasOrders = (folder: string): boolean => namesIn(folder).length > 0

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => /^[0-9a-f]{12}$/.test(name))
  } catch {
    return []
  }
}

function removeStale(folder: string): void {
  if (Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0) > STALE_MS) removeOrders(folder)
}

/** On NFS, a file that a job has open keeps its folder: that one is removed another time. */
export function removeOrders(folder: string): void {
  try {
    remove(folder)
  } catch {
    // see above
  }
}
