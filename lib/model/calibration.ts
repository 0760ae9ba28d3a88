/** How well a model knows what it does not know: of the tokens that it found likeliest, how often each was right. */
export interface Calibration {
  /** Of equal width in the probability of the likeliest token, from 0 to 1; empty ones have a count of 0. */
  readonly bins: readonly Bin[]
  /** Expected calibration error: Σ count · |accuracy − confidence| / tokens. C. Guo et al. 2017, arXiv:1706.04599 */
  readonly error: number
}

export interface Bin {
  readonly count: number
  /** Mean probability of the likeliest token; 0 in an empty bin. */
  readonly confidence: number
  /** Share of places whose token was the likeliest one; 0 in an empty bin. */
  readonly accuracy: number
}

const binCount = 10

/** Adds up places of a text, each with the probability of its likeliest token and whether that was the token there. */
export class CalibrationCount {
  readonly #sums = Array.from({ length: binCount }, () => ({ count: 0, confidence: 0, right: 0 }))

  add(confidence: number, right: boolean): void {
    const bin = this.#sums[Math.min(binCount - 1, Math.floor(confidence * binCount))]!
    bin.count += 1
    bin.confidence += confidence
    bin.right += Number(right)
  }

  result(): Calibration {
    const bins = this.#sums.map(({ count, confidence, right }) => {
      const share = (sum: number): number => (count === 0 ? 0 : sum / count)
      return { count, confidence: share(confidence), accuracy: share(right) }
    })
    const tokens = bins.reduce((sum, { count }) => sum + count, 0)
    const apart = bins.reduce(
      (sum, { count, accuracy, confidence }) => sum + count * Math.abs(accuracy - confidence),
      0,
    )
    return { bins, error: apart / tokens }
  }
}
