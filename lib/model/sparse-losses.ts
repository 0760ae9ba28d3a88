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
  mul,
  reshape,
  scatterAdd,
  slice,
  softmax,
  sub,
  sum,
} from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'

// N tokens · K of them in a chunk · V vocabulary · S ids a token

/** A teacher of whom a few tokens of the vocabulary are known at each position, at one temperature. */
export type SparseTeacher = SampledTeacher | TopkTeacher

interface Common {
  /** (N, S) int32 */
  readonly ids: Tensor
  /** Scalars, given at each run. */
  readonly temperature: Tensor
  readonly alpha: Tensor
}

/** Ids drawn from softmax(t/T), each for 1/S of it, and (N) the entropy of softmax(t/T) in nats. */
export interface SampledTeacher extends Common {
  readonly kind: 'sampled'
  readonly entropy: Tensor
}

/**
 * The S most probable ids, all different, (N, S) their logits up to a constant, and (N) the probability of all others
 * together at T: absent where both distributions are renormalised over the S ids.
 */
export interface TopkTeacher extends Common {
  readonly kind: 'topk'
  readonly logits: Tensor
  readonly tail?: Tensor
}

/** Of a chunk's tokens from `start` on, whose share in the mean is `share` (K). */
interface Soft {
  readonly kl: Tensor
  /** (K, V): T · d kl / d logits. */
  readonly gradient: Tensor
}

/** KL(teacher ‖ student) of the softened distributions, as far as a sparse teacher tells it; logits (K, V). */
export function sparseKl(logits: Tensor, teacher: SparseTeacher, start: number, share: Tensor): Soft {
  const K = logits.shape[0]!
  const scaled = div(logits, teacher.temperature)
  const places = placesOf(slice(teacher.ids, [start, 0], [K, -1]), logits.shape[1]!)
  if (teacher.kind === 'sampled') return sampledKl(scaled, places, slice(teacher.entropy, [start], [K]), share)
  const top = div(slice(teacher.logits, [start, 0], [K, -1]), teacher.temperature)
  if (!teacher.tail) return renormalisedKl(scaled, places, top, share)
  return bucketKl(scaled, places, top, slice(teacher.tail, [start], [K]), share)
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
 * Cross-entropy with the draws, less the entropy: the expectation over draws is the divergence, and that of the gradient
 * softmax(s/T) − (draws of the token)/S its gradient. The estimate itself may be below 0.
 */
function sampledKl(scaled: Tensor, places: Tensor, entropy: Tensor, share: Tensor): Soft {
  const student = logSoftmax(scaled)
  const S = places.shape[1]!
  const weights = mul(column(share), constant(1 / S, places.shape)) // (K, S)
  const crossEntropy = sub(0, sum(mul(pick(student, places), weights)))
  return {
    kl: sub(crossEntropy, sum(mul(entropy, share))),
    gradient: sub(mul(exp(student), column(share)), scatter(weights, places, scaled)),
  }
}

/** Over S tokens and one bucket for all others, in which the student spreads what it gets as it does now. */
function bucketKl(scaled: Tensor, places: Tensor, top: Tensor, tail: Tensor, share: Tensor): Soft {
  const S = places.shape[1]!
  const rest = restOf(scaled, places)
  const target = concat([mul(softmax(top), column(sub(1, tail))), column(tail)], 1) // (K, S + 1)
  // 0 · log 0 is 0
  const logTarget = concat([add(logSoftmax(top), log(column(sub(1, tail)))), log(maximum(column(tail), 1e-37))], 1)
  const student = logSoftmax(concat([pick(scaled, places), rest.logSum], 1))
  const kl = sum(mul(sum(mul(target, sub(logTarget, student)), [1]), share))
  const apart = mul(sub(exp(student), target), column(share)) // (K, S + 1)
  const [named, others] = [slice(apart, [0, 0], [-1, S]), slice(apart, [0, S], [-1, 1])]
  return { kl, gradient: add(scatter(named, places, scaled), mul(rest.probs, others)) }
}

function renormalisedKl(scaled: Tensor, places: Tensor, top: Tensor, share: Tensor): Soft {
  const [target, student] = [logSoftmax(top), logSoftmax(pick(scaled, places))]
  const kl = sum(mul(sum(mul(exp(target), sub(target, student)), [1]), share))
  return { kl, gradient: scatter(mul(sub(exp(student), exp(target)), column(share)), places, scaled) }
}

/** Values (K, S) at their places in zeros of the shape of `like`, (K, V); those of one place add up. */
function scatter(values: Tensor, places: Tensor, like: Tensor): Tensor {
  const [K, V] = like.shape as readonly [number, number]
  return reshape(scatterAdd(places, values, K * V), [K, V])
}

const column = (x: Tensor): Tensor => reshape(x, [-1, 1])
