/** How the rate goes from its peak to `last` (a share of the peak) once it is warm. */
export const decays = ['constant', 'linear', 'cosine', 'wsd'] as const
export type Decay = (typeof decays)[number]

export interface RateSchedule {
  readonly peak: number
  /** Steps over which the rate rises to the peak; the first is peak / warmup, not 0. */
  readonly warmup: number
  /** `wsd`, warm-up, stable, decay (Hu et al. 2024, arXiv:2404.06395): it keeps the peak, then falls in a straight line. */
  readonly decay: Decay
  /** Of `wsd`: the last steps, over which the rate falls. */
  readonly falling?: number
  /** What the last step has, as a share of the peak. */
  readonly last: number
  /** Steps in all. */
  readonly steps: number
}

/** The rate of a step, counted from 0; step `steps − 1` has exactly peak · last (with `constant`: the peak). */
export function rateAt({ peak, warmup, decay, falling = 0, last, steps }: RateSchedule, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup
  if (decay === 'constant') return peak
  const begin = decay === 'wsd' ? Math.max(warmup, steps - 1 - falling) : warmup
  const bend = decay === 'cosine' ? 'cosine' : 'linear'
  return peak * between(1, last, doneOf(step - begin, steps - 1 - begin), bend)
}

export const bends = ['linear', 'cosine'] as const
export type Bend = (typeof bends)[number]

/** A number that may change in the course of a training: from exactly `from` to exactly `to`, or as a list says. */
export type Schedule =
  | number
  /** Of each epoch in turn; the last stays. */
  | readonly number[]
  | {
      readonly from: number
      readonly to: number
      readonly shape: Bend
      /** Whether it changes with every step, or from one epoch to the next. */
      readonly by: 'step' | 'epoch'
    }

/** A training, as far as schedules know of it. */
export interface Course {
  readonly steps: number
  /** Epochs done when a step begins. */
  readonly epochAt: (step: number) => number
}

/** Its value in a step, counted from 0; the last step, or each of the last epoch, has exactly `to`. */
export function valueAt(schedule: Schedule, { steps, epochAt }: Course, step: number): number {
  if (typeof schedule === 'number') return schedule
  const epochOf = (at: number): number => Math.floor(epochAt(at))
  if (isList(schedule)) return schedule[Math.min(epochOf(step), schedule.length - 1)]!
  const { from, to, shape, by } = schedule
  const moment = by === 'step' ? (at: number): number => at : epochOf
  return between(from, to, doneOf(moment(step), moment(steps - 1)), shape)
}

/** Every value that it takes, each once, the first first. */
export function valuesOf(schedule: Schedule, course: Course): readonly number[] {
  if (typeof schedule === 'number') return [schedule]
  return [...new Set(Array.from({ length: course.steps }, (_, step) => valueAt(schedule, course, step)))]
}

const isList = (schedule: Schedule): schedule is readonly number[] => Array.isArray(schedule)

/** The share of a way that is done; all of it where there is none. */
const doneOf = (at: number, end: number): number => (at >= end ? 1 : Math.max(0, at / end))

function between(from: number, to: number, done: number, bend: Bend): number {
  if (done === 0 || done === 1) return done === 0 ? from : to
  return to + (from - to) * (bend === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2)
}
