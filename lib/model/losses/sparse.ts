import {
  add,
  concat,
  constant,
  div,
  exp,
  gather,
  iota,
  log,
  logSoftmax,
  max,
  maximum,
  mean,
  mul,
  neg,
  reshape,
  scatterAdd,
  slice,
  softmax,
  sub,
  sum,
} from '../../graph/index.ts'
import type { Tensor } from '../../graph/index.ts'
import { column, expectation } from './divergence.ts'
import type { PerToken } from './divergence.ts'
import { forwardKl } from './kullback-leibler.ts'

// N tokens · K of them in a chunk · V vocabulary · S ids a token

/** A teacher of whom a few tokens of the vocabulary are known at each position, at one temperature. */
export type SparseTeacher = SampledTeacher | TopkTeacher

/** (N, S) int32 ids drawn from softmax(t/T), each for 1/S of it, and (N) the entropy of softmax(t/T) in nats. */
interface SampledTeacher {
  readonly kind: 'sampled'
  readonly ids: Tensor
  readonly entropy: Tensor
}

/**
 * (N, S) int32 the most probable ids, all different, (N, S) their logits up to a constant, and (N) the probability of all
 * others together at T: absent where both distributions are renormalised over the S ids.
 */
interface TopkTeacher {
  readonly kind: 'topk'
  readonly ids: Tensor
  readonly logits: Tensor
  readonly tail?: Tensor
}

/** KL(p_t ‖ p_s) at T of the tokens from `start` on, as far as a sparse teacher tells it; logits (K, V). */
export function sparseKl(logits: Tensor, teacher: SparseTeacher, temperature: Tensor, start: number): PerToken {
  const K = logits.shape[0]!
  const scaled = div(logits, temperature)
  const places = placesOf(slice(teacher.ids, [start, 0], [K, -1]), logits.shape[1]!)
  if (teacher.kind === 'sampled') return sampledKl(scaled, places, slice(teacher.entropy, [start], [K]))
  const top = div(slice(teacher.logits, [start, 0], [K, -1]), temperature)
  if (!teacher.tail) return renormalisedKl(scaled, places, top)
  return bucketKl(scaled, places, top, slice(teacher.tail, [start], [K]))
}

/** Where ids (K, S) stand in a matrix (K, V) that is read row after row. */
export const placesOf = (ids: Tensor, V: number): Tensor => add(ids, mul(iota([ids.shape[0]!, 1], 0), V))

/** Entries of x (K, V): (K, S). */
export const pick = (x: Tensor, places: Tensor): Tensor => gather(reshape(x, [-1]), places)

/**
 * What is left of scaled logits (K, V) without those at `places`: (K, 1) the logarithm of the sum of their exponentials,
 * and (K, V) their softmax, 0 at `places`. Where nothing is left the first is about −10⁹, and the second of no meaning.
 */
export function restOf(scaled: Tensor, places: Tensor): { readonly logSum: Tensor; readonly probs: Tensor } {
  const left = add(scaled, scatter(constant(-1e9, places.shape), places, scaled))
  const largest = max(left, [1], true)
  const terms = exp(sub(left, largest))
  const total = sum(terms, [1], true)
  return { logSum: add(largest, log(total)), probs: div(terms, total) }
}

/**
 * Cross-entropy with the draws, less the entropy: the expectation over draws is the divergence, and that of
 * dz = p_s − (draws of the token)/S its gradient. The estimate itself may be below 0.
 */
function sampledKl(scaled: Tensor, places: Tensor, entropy: Tensor): PerToken {
  const student = logSoftmax(scaled)
  const shares = constant(1 / places.shape[1]!, places.shape) // (K, S)
  return {
    values: sub(neg(mean(pick(student, places), [1])), entropy),
    gradient: sub(exp(student), scatter(shares, places, scaled)),
  }
}

/** Over S tokens and one bucket for all others, in which the student spreads what it gets as it does now. */
function bucketKl(scaled: Tensor, places: Tensor, top: Tensor, tail: Tensor): PerToken {
  const S = places.shape[1]!
  const rest = restOf(scaled, places)
  const target = concat([mul(softmax(top), column(sub(1, tail))), column(tail)], 1) // (K, S + 1)
  // 0 · log 0 is 0
  const logTarget = concat([add(logSoftmax(top), log(column(sub(1, tail)))), log(maximum(column(tail), 1e-37))], 1)
  const student = logSoftmax(concat([pick(scaled, places), rest.logSum], 1))
  const apart = sub(exp(student), target) // (K, S + 1)
  const [named, others] = [slice(apart, [0, 0], [-1, S]), slice(apart, [0, S], [-1, 1])]
  return {
    values: expectation(target, sub(logTarget, student)),
    gradient: add(scatter(named, places, scaled), mul(rest.probs, others)),
  }
}

function renormalisedKl(scaled: Tensor, places: Tensor, top: Tensor): PerToken {
  const { values, gradient } = forwardKl({ student: logSoftmax(pick(scaled, places)), teacher: logSoftmax(top) })
  return { values, gradient: scatter(gradient, places, scaled) }
}

/** Values (K, S) at their places in zeros of the shape of `like`, (K, V); those of one place add up. */
function scatter(values: Tensor, places: Tensor, like: Tensor): Tensor {
  const [K, V] = like.shape as readonly [number, number]
  return reshape(scatterAdd(places, values, K * V), [K, V])
}
