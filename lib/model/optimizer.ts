import { add, div, maximum, minimum, mul, sqrt, square, state, sub, sum } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'

export interface AdamW {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Decoupled, on matrices and embeddings alone: biases and layer norms are not drawn to 0. */
  readonly weightDecay: number
}

export const adamW: AdamW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 }

/** What changes from step to step, as scalars of the graph. */
export interface StepScalars {
  readonly rate: Tensor
  /** 1 − beta1^step and 1 − beta2^step, the step counted from 1. */
  readonly correction1: Tensor
  readonly correction2: Tensor
}

/**
 * One step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, with the rate multiplied into the decay
 * as PyTorch does): the new weights and moments by name. Moments are state named after their weight.
 */
export function updateAdamW(
  weights: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
  scalars: StepScalars,
  options: AdamW,
): Record<string, Tensor> {
  const { beta1, beta2, epsilon, weightDecay } = options
  const updates: Record<string, Tensor> = {}
  const stepSize = div(scalars.rate, scalars.correction1)
  const inverse = div(1, sqrt(scalars.correction2))
  const keep = sub(1, mul(scalars.rate, weightDecay))
  for (const [name, weight] of weights) {
    const gradient = gradients.get(name)!
    const [first, second] = momentNames(name)
    const m = add(mul(state(first, weight.shape), beta1), mul(gradient, 1 - beta1))
    const v = add(mul(state(second, weight.shape), beta2), mul(square(gradient), 1 - beta2))
    const decayed = weight.shape.length >= 2 ? mul(weight, keep) : weight
    const denominator = add(mul(sqrt(v), inverse), epsilon)
    updates[name] = sub(decayed, mul(div(m, denominator), stepSize))
    updates[first] = m
    updates[second] = v
  }
  return updates
}

/** Names of the first and second moment of a weight. */
export const momentNames = (weight: string): readonly [string, string] => [`adam.m/${weight}`, `adam.v/${weight}`]

/** √Σ‖g‖² over all gradients, each tensor once. */
export const globalNorm = (gradients: Iterable<Tensor>): Tensor =>
  sqrt([...gradients].map((gradient) => sum(square(gradient))).reduce((a, b) => add(a, b)))

/** The factor that brings a gradient of this norm to at most `limit` (as PyTorch's clip_grad_norm_: + 1e-6). */
export const clipFactor = (norm: Tensor, limit: number): Tensor =>
  minimum(div(limit, maximum(add(norm, 1e-6), 1e-12)), 1)

export const corrections = (step: number, { beta1, beta2 }: AdamW): readonly [number, number] => [
  1 - beta1 ** step,
  1 - beta2 ** step,
]
