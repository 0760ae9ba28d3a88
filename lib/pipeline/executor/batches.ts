import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '../canonical.ts'
import { fileClock } from '../../util/file-clock.ts'
import { readJson, remove } from '../files.ts'
import { slurmCommand } from './commands.ts'
import type { Batch } from './order.ts'
import { BATCH } from './order.ts'
import { SQUEUE, hasEnded, parseQueue } from './queue.ts'
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
  const byToken = livingByToken(rows)
  for (const place of stale(folder, byToken)) removeOrders(place)
  for (const [token, rowsHere] of byToken) {
    const place = join(folder, token)
    const { keys = [] } = (readJson(join(place, BATCH)) ?? {}) as Partial<Batch>
    const alone = rowsHere.every(({ index }) => wanted.has(keys[index]!))
    for (const { index, id } of rowsHere) {
      const key = keys[index]
      if (key !== undefined) living.set(key, { folder: place, token, index, id, alone })
    }
  }
  return living
}

/** Orders of this user's jobs that Slurm has not had for long; none where Slurm is not to be asked. */
export async function goneOrders(folder: string): Promise<string[]> {
  if (!hasOrders(folder)) return []
  const asked = await slurmCommand('squeue', SQUEUE).catch(() => undefined)
  return asked?.ok === true ? stale(folder, livingByToken(parseQueue(asked.out))) : []
}

/** Whether there may be jobs of an earlier run. */
export const hasOrders = (folder: string): boolean => namesIn(folder).length > 0

function livingByToken(rows: readonly Row[]): Map<string, Row[]> {
  const byToken = new Map<string, Row[]>()
  for (const row of rows) {
    if (hasEnded(row.state)) continue
    const others = byToken.get(row.token)
    if (others === undefined) byToken.set(row.token, [row])
    else others.push(row)
  }
  return byToken
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => /^[0-9a-f]{12}$/.test(name))
  } catch {
    return []
  }
}

/** Those of other users are not looked at, as squeue was not asked for their jobs. */
function stale(folder: string, living: ReadonlyMap<string, unknown>): string[] {
  const names = namesIn(folder).filter((token) => !living.has(token))
  // by the file system's clock, as that of the machine that wrote them may be hours from ours
  const clock = names.length === 0 ? 0 : fileClock(folder)
  return names
    .map((token) => join(folder, token))
    .filter((path) => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat?.uid === process.getuid?.() && clock - (stat?.mtimeMs ?? clock) > STALE_MS
    })
}

/** On NFS, a file that a job has open keeps its folder: that one is removed another time. */
export function removeOrders(folder: string): void {
  try {
    remove(folder)
  } catch {
    // see above
  }
}
