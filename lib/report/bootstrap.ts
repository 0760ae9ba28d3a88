import { Random } from '../util/random.ts'
import type { DocumentLoss } from './scores.ts'
import type { Interval } from './statistics.ts'

/** Below this number of documents a percentile interval is too narrow to be believed, and none is made. */
export const MINIMUM_DOCUMENTS = 20

export interface BootstrapResult {
  readonly interval: Interval
  /** Two-sided: twice the smaller share of draws on either side of 0, with one added to both counts. */
  readonly p: number
}

/**
 * Paired bootstrap of perplexity(a) − perplexity(b): documents are drawn with replacement, the same ones for both
 * models, and each draw's perplexities are exp(Σ nll / Σ tokens). Percentile interval.
 * B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; pairing as in P. Koehn (2004),
 * Statistical significance tests for machine translation evaluation, EMNLP; the added one: A. C. Davison and
 * D. V. Hinkley, Bootstrap Methods and their Application (1997), 4.2.
 */
export const bootstrapPerplexity = (
  a: readonly DocumentLoss[],
  b: readonly DocumentLoss[],
  { draws = 4999, seed = 1 }: { draws?: number; seed?: number } = {},
): BootstrapResult => {
  if (a.length !== b.length) throw new Error(`Internal error: ${a.length} and ${b.length} documents cannot be paired`)
  const random = new Random(seed, 'bootstrap')
  const differences = Float64Array.from({ length: draws }, () => drawDifference(a, b, random)).sort()
  const below = differences.filter((difference) => difference <= 0).length
  const above = differences.filter((difference) => difference >= 0).length
  const at = (share: number) => differences[Math.round(share * (draws + 1)) - 1]!
  return {
    interval: { low: at(0.025), high: at(0.975) },
    p: Math.min(1, (2 * (Math.min(below, above) + 1)) / (draws + 1)),
  }
}

const drawDifference = (a: readonly DocumentLoss[], b: readonly DocumentLoss[], random: Random): number => {
  let [nllA, nllB, tokensA, tokensB] = [0, 0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const drawn = random.below(a.length)
    nllA += a[drawn]!.nll
    nllB += b[drawn]!.nll
    tokensA += a[drawn]!.tokens
    tokensB += b[drawn]!.tokens
  }
  return Math.exp(nllA / tokensA) - Math.exp(nllB / tokensB)
}
