/** How the loss is scaled where gradients pass through halves, whose range is small. */
export interface LossScaling {
  /** A power of two, as all scales then are: scaling rounds nothing. */
  readonly start: number
  /** Steps without an overflow after which the scale is doubled. */
  readonly growAfter: number
}

/** Each token's share of a mean over 16 million is a number of its own at this, and what overflows is known by then. */
const most = 2 ** 24

/** As PyTorch's GradScaler starts and grows. */
export const lossScaling: LossScaling = { start: 2 ** 16, growAfter: 2000 }

/** Where it stands: a function of the steps so far, and a part of the checkpoint. */
export interface LossScale {
  readonly scale: number
  /** Steps since it was changed. */
  readonly good: number
  /** Steps whose update was left out, since their gradient overflowed. */
  readonly skipped: number
}

export const firstScale = ({ start }: LossScaling): LossScale => ({ scale: start, good: 0, skipped: 0 })

/**
 * Dynamic loss scaling (Micikevicius et al. 2018, arXiv:1710.03740): the scale is halved where the gradient's norm is no
 * number, which leaves the step out, and doubled after enough steps where it was one. At 1 nothing is gained by less: what
 * overflows then is not due to the scale, and nothing is left out.
 */
export function afterStep(
  { scale, good, skipped }: LossScale,
  gradNorm: number,
  { growAfter }: LossScaling,
): LossScale {
  if (!Number.isFinite(gradNorm)) {
    return scale <= 1 ? { scale, good: 0, skipped } : { scale: scale / 2, good: 0, skipped: skipped + 1 }
  }
  if (good + 1 < growAfter) return { scale, good: good + 1, skipped }
  return { scale: Math.max(scale, Math.min(2 * scale, most)), good: 0, skipped }
}
