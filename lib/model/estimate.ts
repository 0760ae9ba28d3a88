import { Random } from '../util/random.ts'

/** A mean over items, and how far it may lie from that over all such items. */
export interface Estimate {
  readonly value: number
  /** With n − 1; 0 where there is one item. */
  readonly standardError: number
  /** A bootstrap interval of 95 %. */
  readonly low: number
  readonly high: number
}

/** (draws + 1) · 0.025 is whole: the bounds are draws, not between two. */
const draws = 1999

/**
 * Mean of `values`, an item each (1 right, 0 wrong, say), and its percentile interval: items are drawn with replacement,
 * the same ones in every call of the same number.
 * B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3.
 */
export function estimateOf(values: readonly number[]): Estimate {
  const random = new Random(1, 'bootstrap')
  const means = Float64Array.from({ length: draws }, () => {
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += values[random.below(values.length)]!
    return sum / values.length
  }).sort()
  const at = (share: number): number => means[Math.round(share * (draws + 1)) - 1]!
  return { value: meanOf(values), standardError: standardError(values), low: at(0.025), high: at(0.975) }
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

function standardError(values: readonly number[]): number {
  const mean = meanOf(values)
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length)
}
