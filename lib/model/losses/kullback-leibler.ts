import { add, exp, maximum, mul, sub } from '../../graph/index.ts'
import { column, expectation, least } from './divergence.ts'
import type { LogProbs, PerToken } from './divergence.ts'

/** KL(p_t ‖ p_s) = Σ p_t (log p_t − log p_s), dz = p_s − p_t; Hinton et al. 2015 (arXiv:1503.02531). */
export function forwardKl({ student, teacher }: LogProbs): PerToken {
  const probs = exp(teacher)
  return { values: expectation(probs, sub(teacher, student)), gradient: sub(exp(student), probs) }
}

/**
 * KL(p_s ‖ p_t) = Σ p_s r with r = log p_s − log p_t, dz = p_s (r − KL); Gu et al. 2023 (arXiv:2306.08543). Infinite
 * where the teacher rules a token out, so p_t is at least 2^−126 here: such a token costs the student 87 nats.
 */
export function reverseKl({ student, teacher }: LogProbs): PerToken {
  const probs = exp(student)
  const ratio = sub(student, maximum(teacher, Math.log(least)))
  const values = expectation(probs, ratio)
  return { values, gradient: mul(probs, sub(ratio, column(values))) }
}

/** The mean of the two: half of Jeffreys' divergence. */
export function symmetricKl(both: LogProbs): PerToken {
  const [forward, reverse] = [forwardKl(both), reverseKl(both)]
  return {
    values: mul(add(forward.values, reverse.values), 0.5),
    gradient: mul(add(forward.gradient, reverse.gradient), 0.5),
  }
}
