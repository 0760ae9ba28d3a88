import {
  argMax,
  constant,
  exp,
  logSoftmax,
  mean,
  mul,
  neg,
  pad,
  putAlong,
  slice,
  square,
  sub,
  takeAlong,
} from '../../graph/index.ts'
import type { Logits, PerToken } from './divergence.ts'

/**
 * mean (z_s − z_t)² over the tokens that both know, 2 (z_s − z_t) / U; Kim et al. 2021 (arXiv:2105.08919). Of the logits as
 * they are: a constant added to all of one model's, which changes no probability, counts.
 */
export function mseLogits({ student, teacher }: Logits): PerToken {
  const [K, U] = teacher.shape as readonly [number, number]
  const difference = sub(slice(student, [0, 0], [K, U]), teacher)
  const gradient = mul(difference, 2 / U)
  return { values: mean(square(difference), [1]), gradient: pad(gradient, [0, 0], [0, student.shape[1]! - U]) }
}

/** −log softmax(z_s) at the teacher's likeliest token, softmax(z_s) − onehot of it. */
export function argmaxCe({ student, teacher }: Logits): PerToken {
  const [K, V] = student.shape as readonly [number, number]
  const [logProbs, likeliest] = [logSoftmax(student), argMax(teacher)]
  return {
    values: neg(takeAlong(logProbs, likeliest)),
    gradient: sub(exp(logProbs), putAlong(likeliest, constant(1, [K]), V)),
  }
}
