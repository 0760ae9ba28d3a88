import { add, mul, state } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { Weights } from './gpt.ts'

/** The running average of a weight in memory. */
export const averageName = (weight: string): string => `average/${weight}`

/**
 * Exponential moving averages of weights: decay · average + (1 − decay) · weight, from the start's weights on.
 * `weights` are those that a step has made, by name.
 */
export function updateAverages(weights: ReadonlyMap<string, Tensor>, decay: number): Record<string, Tensor> {
  const updates: Record<string, Tensor> = {}
  for (const [name, weight] of weights) {
    updates[averageName(name)] = add(mul(state(averageName(name), weight.shape), decay), mul(weight, 1 - decay))
  }
  return updates
}

/** The averages in place of the weights that have one. */
export const averaged =
  (weight: Weights, names: ReadonlySet<string>): Weights =>
  (name) =>
    names.has(name) ? state(averageName(name), weight(name).shape) : weight(name)
