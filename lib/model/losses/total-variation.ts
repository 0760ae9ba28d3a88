import { abs, cast, exp, greater, less, mul, sub, sum } from '../../graph/index.ts'
import { throughSoftmax } from './divergence.ts'
import type { LogProbs, PerToken } from './divergence.ts'

/**
 * ½ Σ |p_s − p_t|, dz = p_s (g − Σ p_s g) with g = ½ sign(p_s − p_t), taken as 0 at 0; Wen et al. 2023 (arXiv:2307.15190).
 * Between 0 and 1. Of a token that the student rules out it has no gradient, however likely the teacher thinks it.
 */
export function totalVariation({ student, teacher }: LogProbs): PerToken {
  const probs = exp(student)
  const difference = sub(probs, exp(teacher))
  const sign = sub(cast(greater(difference, 0), 'float32'), cast(less(difference, 0), 'float32'))
  return {
    values: mul(sum(abs(difference), [1]), 0.5),
    gradient: throughSoftmax(probs, mul(sign, 0.5)),
  }
}
