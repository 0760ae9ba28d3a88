import { mul, reshape, sub, sum } from '../../graph/index.ts'
import type { Tensor } from '../../graph/index.ts'

// K tokens in a chunk · V vocabulary of the student · U its first tokens, which the teacher knows too
// s student · t teacher · p softmax(logits / T) · dz derivative with respect to logits / T of the student

/** The names of the losses that hold the student's output against the teacher's. */
export type LossName =
  | 'forward-kl'
  | 'reverse-kl'
  | 'jsd'
  | 'symmetric-kl'
  | 'skew-kl'
  | 'skew-reverse-kl'
  | 'total-variation'
  | 'mse-logits'
  | 'argmax-ce'

/** log softmax(logits / T), (K, V): finite, also for tokens that the teacher does not know. */
export interface LogProbs {
  readonly student: Tensor
  readonly teacher: Tensor
}

export interface Logits {
  readonly student: Tensor // (K, V)
  readonly teacher: Tensor // (K, U)
}

export interface MixtureSettings {
  /** The teacher's share in the mixture of `jsd`; within (0, 1). */
  readonly beta: number
  /** Of the skewed ones: the share that is mixed into the other distribution; within (0, 1). */
  readonly skew: number
}

export interface PerToken {
  readonly values: Tensor // (K)
  /** dz (K, V); of what takes the logits themselves, with respect to those. */
  readonly gradient: Tensor
}

export type Divergence =
  | { readonly takes: 'log-probs'; readonly of: (both: LogProbs, settings: MixtureSettings) => PerToken }
  | { readonly takes: 'logits'; readonly of: (both: Logits) => PerToken }

/** The least normal float32: what is less likely counts as this likely where its logarithm is asked for. */
export const least = 2 ** -126

/** Σ p x over the vocabulary: (K). */
export const expectation = (probs: Tensor, x: Tensor): Tensor => sum(mul(probs, x), [1])

/** dz of a function of p = softmax(z), whose derivative with respect to p is g: p (g − Σ p g). */
export const throughSoftmax = (probs: Tensor, g: Tensor): Tensor => mul(probs, sub(g, column(expectation(probs, g))))

/** (K) to (K, 1). */
export const column = (x: Tensor): Tensor => reshape(x, [-1, 1])
