import type { Event } from '../../pipeline/event.ts'

/** What is known of a stage that is at work. */
export interface Work {
  readonly stage: string
  /** All times are of performance.now(), in milliseconds. */
  readonly since: number
  device?: string
  /** Bytes that its process has in memory. */
  memory?: number
  progress?: { readonly done: number; readonly total: number; readonly unit: string; readonly loss?: number }
  /** Where its progress was first heard of: a training that resumes does not begin at none. */
  first?: { readonly done: number; readonly at: number }
  readonly losses: number[]
}

/** More would not fit a line. */
const MOST_LOSSES = 512

/** Follows a run: who is at work, and who is still to come. */
export class Works {
  readonly running = new Map<string, Work>()
  readonly #waiting = new Set<string>()

  hear(event: Event, now: number): void {
    if (event.type === 'started') this.#begin(event.stages)
    if (event.type === 'stage-started') {
      this.#waiting.delete(event.stage)
      this.running.set(event.stage, { stage: event.stage, since: now, losses: [] })
    }
    if (event.type === 'stage-device') this.#of(event.stage, (work) => (work.device = event.device))
    if (event.type === 'stage-progress') this.#of(event.stage, (work) => progress(work, event, now))
    if (event.type === 'stage-finished') {
      this.#waiting.delete(event.name)
      this.running.delete(event.name)
    }
  }

  get waiting(): readonly string[] {
    return [...this.#waiting]
  }

  #begin(stages: readonly string[]): void {
    this.running.clear()
    this.#waiting.clear()
    for (const stage of stages) this.#waiting.add(stage)
  }

  #of(stage: string, change: (work: Work) => void): void {
    const work = this.running.get(stage)
    if (work) change(work)
  }
}

function progress(work: Work, event: Extract<Event, { type: 'stage-progress' }>, now: number): void {
  const { done, total, unit, loss, memory } = event
  // another count begins, as where a validation is between the steps
  if (work.progress === undefined || work.progress.unit !== unit || done < work.progress.done)
    work.first = { done, at: now }
  work.progress = { done, total, unit, ...(loss === undefined ? {} : { loss }) }
  if (memory !== undefined) work.memory = memory
  if (loss === undefined) return
  work.losses.push(loss)
  if (work.losses.length > MOST_LOSSES) halve(work.losses)
}

/** Each two become their mean, so that the whole training stays in sight. */
function halve(losses: number[]): void {
  const half = Math.floor(losses.length / 2)
  for (let i = 0; i < half; i++) losses[i] = (losses[2 * i]! + losses[2 * i + 1]!) / 2
  losses.length = half
}
