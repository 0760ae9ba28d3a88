import { add, div, log, matmul, maximum, mean, mul, reshape, rsqrt, square, sub, sum } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { Inside } from './gpt.ts'
import { least } from './losses/divergence.ts'
import { projectionName } from './projections.ts'

// B rows · T tokens in a row · H heads · C width of the student · D width of the teacher

/** A layer of the teacher, and that of the student which is to be like it. */
export interface LayerPair {
  readonly teacher: number
  readonly student: number
}

/** What goes on inside the student that is to be as in the teacher. */
export interface InnerLosses {
  /** What comes out of layers, 0 the embedding. Projected into the teacher's width by a matrix that learns too. */
  readonly hidden: { readonly pairs: readonly LayerPair[]; readonly loss: 'mse' | 'cosine'; readonly weight: number }
  /** To whom layers attend, counted from 1. */
  readonly attention: { readonly pairs: readonly LayerPair[]; readonly loss: 'kl' | 'mse'; readonly weight: number }
}

/** A term of the loss by its name in the curves: a mean over the valid tokens, without its weight. */
export interface InnerTerm {
  readonly name: string
  readonly weight: number
  readonly value: Tensor
}

/** The names of the terms there are. */
export const innerNames = (inner: InnerLosses): readonly string[] =>
  (['hidden', 'attention'] as const).filter((kind) => inner[kind].pairs.length > 0).map((kind) => nameOf(inner, kind))

const nameOf = (inner: InnerLosses, kind: keyof InnerLosses): string => `${kind}-${inner[kind].loss}`

/**
 * Means over the pairs, differentiated as they stand. `share` (B·T) is that of each token in the mean over tokens;
 * `weight` gives the projections.
 */
export function innerTerms(
  inner: InnerLosses,
  { student, teacher }: { readonly student: Inside; readonly teacher: Inside },
  share: Tensor,
  weight: (name: string) => Tensor,
): readonly InnerTerm[] {
  const { hidden, attention } = inner
  const ofHidden = hidden.pairs.map((pair, index) => {
    const projected = matmul(rows(student.states[pair.student]!), weight(projectionName(index))) // (B·T, D)
    return hiddenLosses[hidden.loss](projected, rows(teacher.states[pair.teacher]!))
  })
  const ofAttention = attention.pairs.map((pair) => {
    const both = alike(student.shares[pair.student - 1]!, teacher.shares[pair.teacher - 1]!)
    return reshape(mean(attentionLosses[attention.loss](...both), [1]), [-1]) // (B, H, T) to (B·T)
  })
  const term = (kind: keyof InnerLosses, losses: readonly Tensor[]): InnerTerm[] => {
    const value = (): Tensor => sum(mul(averageOf(losses), share))
    return losses.length === 0 ? [] : [{ name: nameOf(inner, kind), weight: inner[kind].weight, value: value() }]
  }
  return [...term('hidden', ofHidden), ...term('attention', ofAttention)]
}

function averageOf(all: readonly Tensor[]): Tensor {
  const total = all.reduce((a, b) => add(a, b))
  return div(total, all.length)
}

/** Of rows (B·T, D): (B·T). */
const hiddenLosses = {
  /** mean (s − t)² over the width; Jiao et al. 2020 (arXiv:1909.10351). */
  mse: (s, t) => mean(square(sub(s, t)), [1]),
  /** 1 − s·t / (‖s‖ ‖t‖); Sanh et al. 2019 (arXiv:1910.01108). */
  cosine: (s, t) => sub(1, mul(sum(mul(s, t), [1]), mul(inverseNorm(s), inverseNorm(t)))),
} satisfies Record<string, (s: Tensor, t: Tensor) => Tensor>

const inverseNorm = (x: Tensor): Tensor => rsqrt(maximum(sum(square(x), [1]), 1e-12))

/** Of distributions (B, H, T, T) over the tokens that are attended to: (B, H, T). */
const attentionLosses = {
  /** Σ t (log t − log s), the probabilities at least 2^−126; Wang et al. 2020 (arXiv:2002.10957). */
  kl: (s, t) => sum(mul(t, sub(logOf(t), logOf(s))), [3]),
  /** Σ (s − t)². */
  mse: (s, t) => sum(square(sub(s, t)), [3]),
} satisfies Record<string, (s: Tensor, t: Tensor) => Tensor>

const logOf = (probs: Tensor): Tensor => log(maximum(probs, least))

/** Head by head where there are as many, else the mean of all heads of either. */
function alike(student: Tensor, teacher: Tensor): [student: Tensor, teacher: Tensor] {
  if (student.shape[1] === teacher.shape[1]) return [student, teacher]
  return [mean(student, [1], true), mean(teacher, [1], true)]
}

const rows = (x: Tensor): Tensor => reshape(x, [-1, x.shape.at(-1)!])
