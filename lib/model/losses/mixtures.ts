import { add, div, exp, log, maximum, mul, sub, sum } from '../../graph/index.ts'
import type { Tensor } from '../../graph/index.ts'
import { column, expectation, least, throughSoftmax } from './divergence.ts'
import type { LogProbs, MixtureSettings, PerToken } from './divergence.ts'

/**
 * β KL(p_t ‖ m) + (1 − β) KL(p_s ‖ m) with m = β p_t + (1 − β) p_s, dz = (1 − β) p_s (r − Σ p_s r) with
 * r = log p_s − log m; Agarwal et al. 2023 (arXiv:2306.13649), and so TRL's GKDTrainer within (0, 1). It goes to 0 with β,
 * and divided by β to KL(p_t ‖ p_s); with 1 − β, and divided by that to KL(p_s ‖ p_t). TRL takes these two for β = 0 and 1;
 * here they have names of their own.
 */
export function jsd({ student, teacher }: LogProbs, { beta }: MixtureSettings): PerToken {
  const [s, t] = [exp(student), exp(teacher)]
  const mixture = log(mix(beta, t, s))
  const ratio = sub(student, mixture)
  const ofStudent = expectation(s, ratio)
  const ofTeacher = expectation(t, sub(teacher, mixture))
  return {
    values: add(mul(ofTeacher, beta), mul(ofStudent, 1 - beta)),
    gradient: mul(mul(s, sub(ratio, column(ofStudent))), 1 - beta),
  }
}

/**
 * KL(p_t ‖ m) with m = λ p_t + (1 − λ) p_s, dz = p_s Σ p_t w − p_t w with w = (1 − λ) p_s / m, the student's part of m; Ko
 * et al. 2024 (arXiv:2402.03898). At most −log λ. KL(p_t ‖ p_s) as λ goes to 0; 0 as it goes to 1.
 */
export function skewKl({ student, teacher }: LogProbs, { skew }: MixtureSettings): PerToken {
  const [s, t] = [exp(student), exp(teacher)]
  const m = mix(skew, t, s)
  const drawn = mul(t, div(mul(s, 1 - skew), m))
  return {
    values: expectation(t, sub(teacher, log(m))),
    gradient: sub(mul(s, column(sum(drawn, [1]))), drawn),
  }
}

/**
 * KL(p_s ‖ m) with m = (1 − λ) p_t + λ p_s: p_s (g − Σ p_s g) with g = log p_s − log m − λ p_s / m; Ko et al. 2024
 * (arXiv:2402.03898). At most −log λ, also where the teacher rules a token out. KL(p_s ‖ p_t) as λ goes to 0; 0 as it goes
 * to 1.
 */
export function skewReverseKl({ student, teacher }: LogProbs, { skew }: MixtureSettings): PerToken {
  const s = exp(student)
  const m = mix(skew, s, exp(teacher))
  const ratio = sub(student, log(m))
  return { values: expectation(s, ratio), gradient: throughSoftmax(s, sub(ratio, div(mul(s, skew), m))) }
}

/** share · a + (1 − share) · b; never 0, whose logarithm times a probability of 0 would be no number. */
const mix = (share: number, a: Tensor, b: Tensor): Tensor => maximum(add(mul(a, share), mul(b, 1 - share)), least)
