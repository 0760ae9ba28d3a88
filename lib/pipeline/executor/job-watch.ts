import { setTimeout as delay } from 'node:timers/promises'
import type { Event } from '../event.ts'
import type { JobPlace } from './batches.ts'
import { slurmCommand } from './commands.ts'
import { failureOf, tailLines } from './job-events.ts'
import type { JobEnd, JobLine } from './job-events.ts'
import { eventsFile, outputFile } from './order.ts'
import { SQUEUE, cancelIds, hasEnded, mayRun, parseQueue, parseSacct, sacctOptions } from './queue.ts'
import type { Account, Row } from './queue.ts'
import { outputOf } from './slurm-failures.ts'
import { Signals } from './signals.ts'
import type { JobFate } from './slurm-failures.ts'

export interface Job extends JobPlace {
  readonly stage: string
  readonly signal: AbortSignal
  readonly kill: AbortSignal
  readonly emit: (event: Event) => void
}

/** How a job ended: as it says itself, or as Slurm does; `cancelled` by this run. */
export type JobOutcome =
  | { readonly type: 'said'; readonly end: JobEnd }
  | { readonly type: 'fate'; readonly fate: JobFate }
  | { readonly type: 'cancelled' }

interface Watched {
  readonly job: Job
  readonly read: () => JobLine[]
  readonly settle: (outcome: JobOutcome) => void
  readonly fail: (error: unknown) => void
  state: string
  /** What it said last, until it begins again. */
  end: JobEnd | undefined
  begun: number
  /** Polls of Slurm in a row by which it has ended. */
  over: number
  cancelling: boolean
}

const TAIL_MS = 250
/** So many files are looked at each time, of more jobs in turn those of such as run, and not as often: all ask one server. */
const LOOKS = 64
const MANY_TAIL_MS = 1000
/** Polls take a hundredth of the time, within these bounds: the controller has others to serve. */
const SHARE = 100
const LEAST_MS = 1000
const MOST_MS = 30_000
/** What a job wrote last may be seen after it is seen to have ended. */
const POLLS_TO_BELIEVE = 2

/** Watches the jobs of a run: their files, and the queue by one command for all of them. */
export class JobWatch {
  readonly #watched = new Map<string, Watched>()
  readonly #signals = new Signals()
  readonly #say: (message: string) => void
  #loop: Promise<void> | undefined
  #nextPoll = 0
  #turn = 0
  readonly #toCancel = new Set<Watched>()
  #away = false

  /** `say` is told when Slurm cannot be reached. */
  constructor(say: (message: string) => void) {
    this.#say = say
  }

  /** Resolves when a job has ended. */
  watch(job: Job): Promise<JobOutcome> {
    return new Promise((resolve, fail) => {
      const settle = (outcome: JobOutcome): void => {
        this.#watched.delete(keyOf(job))
        resolve(outcome)
      }
      const read = tailLines(eventsFile(job.folder, job.index))
      const started = { state: 'PENDING', end: undefined, begun: 0, over: 0, cancelling: false }
      this.#watched.set(keyOf(job), { job, read, settle, fail, ...started })
      this.#signals.onAbort(job.signal, () => this.#cancel(job.signal))
      this.#signals.onAbort(job.kill, () => this.#kill(job.kill))
      this.#loop ??= this.#run().catch(this.#fail)
    })
  }

  async #run(): Promise<void> {
    while (this.#watched.size > 0) {
      await delay(this.#watched.size > LOOKS ? MANY_TAIL_MS : TAIL_MS)
      this.#hearSome()
      if (performance.now() >= this.#nextPoll) await this.#poll()
    }
    this.#loop = undefined
  }

  #hearSome(): void {
    const all = [...this.#watched.values()]
    const heard = all.length <= LOOKS ? all : all.filter(({ state }) => mayRun(state))
    const looks = Math.min(heard.length, LOOKS)
    for (let look = 0; look < looks; look++) this.#hear(heard[(this.#turn + look) % heard.length]!)
    this.#turn += looks
  }

  readonly #fail = (error: unknown): void => {
    this.#loop = undefined
    const all = [...this.#watched.values()]
    this.#watched.clear()
    for (const { fail } of all) fail(error)
  }

  #hear(watched: Watched): void {
    const { job } = watched
    for (let lines = watched.read(); lines.length > 0; lines = watched.read()) {
      for (const line of lines) {
        if (line.type === 'event') job.emit(line.event)
        else if (line.type === 'end') watched.end = line
        else this.#begin(watched)
      }
    }
    // one that was asked to stop may be queued again: Slurm knows
    if (watched.end !== undefined && !isStopped(watched.end)) watched.settle({ type: 'said', end: watched.end })
  }

  #begin(watched: Watched): void {
    watched.end = undefined
    watched.begun += 1
    if (watched.begun === 1) return
    const { stage, id, emit } = watched.job
    const message = `Slurm ended job ${id} of "${stage}", because its node failed or another job came first, and has begun it again. It goes on from its checkpoint.`
    emit({ type: 'notice', stage, code: 'SLURM_REQUEUED', message })
  }

  async #poll(): Promise<void> {
    await this.#sendCancels()
    const started = performance.now()
    const rows = await this.#rows()
    const took = performance.now() - started
    this.#nextPoll = performance.now() + Math.min(Math.max(took * SHARE, LEAST_MS), MOST_MS)
    if (rows === undefined) return
    const byJob = new Map(rows.map((row) => [`${row.token}/${row.index}`, row]))
    const lost: Watched[] = []
    for (const [key, watched] of this.#watched) {
      const row = byJob.get(key)
      watched.state = row?.state ?? watched.state
      const ended = row === undefined || hasEnded(row.state)
      watched.over = ended ? watched.over + 1 : 0
      if (ended) this.#hear(watched)
      if (watched.over < (watched.cancelling ? 1 : POLLS_TO_BELIEVE) || !this.#watched.has(key)) continue
      if (row === undefined) lost.push(watched)
      else this.#believe(watched, row)
    }
    if (lost.length > 0) await this.#askAccounts(lost)
  }

  async #rows(): Promise<Row[] | undefined> {
    const { ok, out, words } = await slurmCommand('squeue', SQUEUE)
    if (!ok && !this.#away) this.#say(words)
    this.#away = !ok
    return ok ? parseQueue(out) : undefined
  }

  /** Of what is gone from the queue, Slurm's accounts may tell, where there are any. */
  async #askAccounts(lost: readonly Watched[]): Promise<void> {
    const known = new Map<string, Account>()
    for (const options of sacctOptions(lost.map(({ job }) => job.id))) {
      const { out } = await slurmCommand('sacct', options).catch(() => ({ out: '' }))
      for (const [id, account] of parseSacct(out)) known.set(id, account)
    }
    for (const watched of lost) this.#believe(watched, known.get(watched.job.id))
  }

  #believe(watched: Watched, known: Account | undefined): void {
    const { job, end } = watched
    const { state, node = '', exit } = known ?? {}
    if (watched.cancelling) watched.settle({ type: 'cancelled' })
    else if (end !== undefined && (state === undefined || state === 'COMPLETED' || state === 'FAILED'))
      watched.settle({ type: 'said', end })
    else {
      const output = outputOf(outputFile(job.folder, job.index))
      watched.settle({ type: 'fate', fate: { id: job.id, state, node, exit, output } })
    }
  }

  #cancel(signal: AbortSignal): void {
    for (const watched of this.#watched.values()) {
      if (watched.job.signal !== signal || watched.cancelling) continue
      watched.cancelling = true
      this.#toCancel.add(watched)
    }
    this.#nextPoll = 0
  }

  /** All that are to be cancelled by one command, as they are stopped at once. */
  async #sendCancels(): Promise<void> {
    const batch = [...this.#toCancel]
    this.#toCancel.clear()
    if (batch.length === 0) return
    const { ok } = await slurmCommand('scancel', this.#idsOf(batch))
    // one that had ended meanwhile is no reason to ask again, but a controller that is away is
    if (!ok) for (const one of batch) if (this.#watched.has(keyOf(one.job))) this.#toCancel.add(one)
  }

  #idsOf(batch: readonly Watched[]): string[] {
    const ids = batch.map(({ job }) => job.id)
    return cancelIds(ids, this.#wholeArrays(batch))
  }

  /** Arrays of which every task that there still is is to be cancelled. */
  #wholeArrays(batch: readonly Watched[]): Set<string> {
    const among = new Set(batch)
    const others = new Set([...this.#watched.values()].filter((one) => !among.has(one)).map(({ job }) => job.token))
    return new Set(
      batch.filter(({ job }) => job.alone && !others.has(job.token)).map(({ job }) => job.id.split('_')[0]!),
    )
  }

  /** The second Ctrl-C: nobody waits for what the jobs still do. */
  #kill(signal: AbortSignal): void {
    const batch = [...this.#watched.values()].filter(({ job }) => job.kill === signal)
    if (batch.length === 0) return
    const ids = this.#idsOf(batch)
    // the first ends those that wait in the queue, the second those that run
    for (const how of [[], ['--full', '--signal=KILL']])
      slurmCommand('scancel', [...how, ...ids]).catch(() => undefined)
    for (const { settle } of batch) settle({ type: 'cancelled' })
  }
}

const keyOf = ({ token, index }: Job): string => `${token}/${index}`

const isStopped = (end: JobEnd): boolean => end.outcome === 'failed' && failureOf(end).code === 'STAGE_CANCELLED'
