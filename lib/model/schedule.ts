/** How the rate goes from its peak to `last` (a share of the peak) once it is warm. */
export type Decay = 'constant' | 'linear' | 'cosine'

export interface RateSchedule {
  readonly peak: number
  /** Steps over which the rate rises to the peak; the first is peak / warmup, not 0. */
  readonly warmup: number
  readonly decay: Decay
  /** What the last step has, as a share of the peak. */
  readonly last: number
  /** Steps in all. */
  readonly steps: number
}

/** The rate of a step, counted from 0; step `steps − 1` has exactly peak · last (with `constant`: the peak). */
export function rateAt({ peak, warmup, decay, last, steps }: RateSchedule, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup
  if (decay === 'constant') return peak
  const done = steps - 1 <= warmup ? 1 : Math.min(1, (step - warmup) / (steps - 1 - warmup))
  if (done === 1) return peak * last
  const left = decay === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2
  return peak * (last + (1 - last) * left)
}

/** The teacher's share of the loss goes in a straight line from the first step to the last, which has exactly `last`. */
export interface AlphaSchedule {
  readonly first: number
  readonly last: number
}

/** The share of a step, counted from 0. */
export function alphaAt({ first, last }: AlphaSchedule, steps: number, step: number): number {
  const done = steps <= 1 ? 1 : step / (steps - 1)
  return done >= 1 ? last : first + (last - first) * done
}
