import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { acquire } from '../../util/lock.ts'
import { sha256 } from '../canonical.ts'
import type { Event } from '../event.ts'
import { token } from '../files.ts'
import { cancelled } from '../stage-failures.ts'
import type { Store } from '../store.ts'
import { hasOrders, livingJobs, removeOrders } from './batches.ts'
import type { JobPlace } from './batches.ts'
import { slurmCommand } from './commands.ts'
import { ordersFolder, writeOrders } from './order.ts'
import type { Ordered } from './order.ts'
import { SQUEUE, largestArray, parseQueue } from './queue.ts'
import type { Row } from './queue.ts'
import { isFull, isPassing, script, submission, submittedId } from './sbatch.ts'
import { Signals } from './signals.ts'
import { refused } from './slurm-failures.ts'

interface Wanted extends Ordered {
  readonly found: (place: JobPlace) => void
  readonly fail: (error: unknown) => void
}

/** One lock for all that look for jobs and hand them in, so that no two hand in the same. */
const SUBMISSION = sha256('submission')
/** Stages that become ready within so many ms are handed in together. */
const GATHER_MS = 50
const FIRST_WAIT_MS = 2000
const LONGEST_WAIT_MS = 60_000

/** Finds the job that makes a key: one that an earlier run handed in, or a new one. */
export class Submission {
  readonly #store: Store
  readonly #folder: string
  readonly #emit: (event: Event) => void
  readonly #away: (words: string) => void
  readonly #signals = new Signals()
  #wanted: Wanted[] = []
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<void> = Promise.resolve()
  #waitMs = FIRST_WAIT_MS
  #largestArray: number | undefined
  /** Of each folder of orders: how many of its jobs are not over yet. */
  readonly #left = new Map<string, number>()

  constructor(store: Store, emit: (event: Event) => void, away: (words: string) => void) {
    this.#store = store
    this.#folder = ordersFolder(store)
    this.#emit = emit
    this.#away = away
  }

  /** Rejects when the run is stopped before its job is handed in, and with what the world does. */
  place(ordered: Ordered): Promise<JobPlace> {
    const { signal } = ordered.run
    return new Promise((found, fail) => {
      const wanted: Wanted = { ...ordered, found, fail }
      this.#wanted.push(wanted)
      this.#schedule(GATHER_MS)
      this.#signals.onAbort(signal, () => this.#drop())
    })
  }

  /** What is being handed in is not among these: it is cancelled as a job then. */
  #drop(): void {
    const stopped = this.#wanted.filter(({ run }) => run.signal.aborted)
    this.#wanted = this.#wanted.filter(({ run }) => !run.signal.aborted)
    for (const { fail, task } of stopped) fail(cancelled(task.stage))
  }

  /** The orders of jobs that are all over are read by nobody any more. */
  leave({ folder }: JobPlace): void {
    const left = (this.#left.get(folder) ?? 0) - 1
    this.#left.set(folder, left)
    if (left === 0) removeOrders(folder)
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#turn = this.#turn.then(() => this.#serve(this.#wanted.splice(0)))
    }, ms)
  }

  async #serve(wanted: readonly Wanted[]): Promise<void> {
    if (wanted.length === 0) return
    try {
      this.#store.assertThere()
      mkdirSync(this.#folder, { recursive: true })
      const lock = await acquire(this.#folder, SUBMISSION, wanted[0]!.run.kill, () => undefined)
      try {
        const fresh = hasOrders(this.#folder) ? await this.#adopt(wanted) : wanted
        for (const group of groups(fresh)) await this.#handInAll(group)
      } finally {
        lock.release()
      }
    } catch (error) {
      for (const { fail } of wanted) fail(error)
    }
  }

  /** Gives those that no job makes. */
  async #adopt(wanted: readonly Wanted[]): Promise<readonly Wanted[]> {
    const rows = await this.#rows(wanted)
    if (rows === undefined) return []
    const living = livingJobs(this.#folder, rows, new Set(wanted.map(({ key }) => key)))
    const adopted = wanted.filter(({ key }) => living.has(key))
    if (adopted.length > 0)
      this.#tell(
        null,
        'SLURM_ADOPTED',
        `${count(adopted.length)} of an earlier run still make results; they are watched.`,
      )
    for (const { folder, jobs } of folders(living.values())) if (!this.#left.has(folder)) this.#left.set(folder, jobs)
    for (const { key, found } of adopted) found(living.get(key)!)
    return wanted.filter(({ key }) => !living.has(key))
  }

  /** Undefined where Slurm does not answer: they are asked for again then. */
  async #rows(wanted: readonly Wanted[]): Promise<Row[] | undefined> {
    const { ok, out, words } = await slurmCommand('squeue', SQUEUE)
    if (ok) return parseQueue(out)
    this.#later(wanted, words)
    return undefined
  }

  async #handInAll(group: readonly Wanted[]): Promise<void> {
    if (group.length > 1) this.#largestArray ??= largestArray((await slurmCommand('scontrol', ['show', 'config'])).out)
    const most = this.#largestArray ?? 1
    for (let at = 0; at < group.length; at += most) await this.#handIn(group.slice(at, at + most))
  }

  async #handIn(group: readonly Wanted[]): Promise<void> {
    const [first] = group
    const { stage } = first!.task
    const name = token()
    const folder = join(this.#folder, name)
    const batch = await writeOrders(folder, group)
    const { ok, out, words } = await slurmCommand(
      'sbatch',
      submission(stage, folder, name, batch),
      script(folder, batch),
    )
    const id = ok ? submittedId(out) : await idOf(name)
    if (id === undefined) {
      removeOrders(folder)
      if (isPassing(words)) this.#later(group, words)
      else for (const { fail, task } of group) fail(refused(task.stage, words))
      return
    }
    this.#waitMs = FIRST_WAIT_MS
    this.#left.set(folder, group.length)
    this.#tell(
      group.length === 1 ? stage.id : null,
      'SLURM_QUEUED',
      `"${group.length === 1 ? stage.id : stage.name}" is job ${id} of Slurm${group.length === 1 ? '' : `, ${group.length} tasks`}.`,
    )
    for (const [index, { found }] of group.entries())
      found({ folder, token: name, index, id: group.length === 1 ? id : `${id}_${index}`, alone: true })
  }

  #later(wanted: readonly Wanted[], words: string): void {
    if (this.#waitMs === FIRST_WAIT_MS) this.#tellWhy(words)
    this.#wanted.push(...wanted)
    this.#drop()
    this.#schedule(this.#waitMs)
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS)
  }

  #tellWhy(words: string): void {
    if (!isFull(words)) this.#away(words)
    else this.#tell(null, 'SLURM_FULL', `Slurm takes no more jobs now: ${words} The others are handed in later.`)
  }

  #tell(stage: string | null, code: 'SLURM_ADOPTED' | 'SLURM_FULL' | 'SLURM_QUEUED', message: string): void {
    this.#emit({ type: 'notice', stage, code, message })
  }
}

/** Cells of one stage ask for the same and make one array. */
function groups(wanted: readonly Wanted[]): Wanted[][] {
  const byName = new Map<string, Wanted[]>()
  for (const one of wanted) {
    if (one.run.signal.aborted) {
      one.fail(cancelled(one.task.stage))
      continue
    }
    const others = byName.get(one.task.stage.name)
    if (others === undefined) byName.set(one.task.stage.name, [one])
    else others.push(one)
  }
  return [...byName.values()]
}

function folders(places: Iterable<JobPlace>): { readonly folder: string; readonly jobs: number }[] {
  const counts = new Map<string, number>()
  for (const { folder } of places) counts.set(folder, (counts.get(folder) ?? 0) + 1)
  return [...counts].map(([folder, jobs]) => ({ folder, jobs }))
}

/** A controller under load may take a job and not answer in time. */
async function idOf(name: string): Promise<string | undefined> {
  const { out } = await slurmCommand('squeue', SQUEUE)
  return parseQueue(out)
    .find(({ token }) => token === name)
    ?.id.split('_')[0]
}

const count = (jobs: number): string => (jobs === 1 ? '1 job' : `${jobs} jobs`)
