import type { TensorValue } from '../engine/engine.ts'
import { innerNames } from './inner.ts'
import type { TrainTeacher } from './train.ts'

/** What a step says of itself. */
export interface StepLosses {
  readonly loss: number
  readonly ce: number
  /** The objective's, by name. */
  readonly terms: Readonly<Record<string, number>>
  readonly gradNorm: number
}

/** The objective's terms. */
export function termNames(teacher: TrainTeacher | undefined): readonly string[] {
  if (!teacher) return []
  const { shape, objective } = teacher
  return [...Object.keys(objective.weights), ...(shape.kind === 'online' ? innerNames(shape.inner) : [])]
}

/** To start adding up from. */
export const noLosses = (terms: readonly string[]): StepLosses => ({
  loss: 0,
  ce: 0,
  terms: Object.fromEntries(terms.map((name) => [name, 0])),
  gradNorm: 0,
})

/** With the outputs of a program added, as far as it has them. */
export function plus(losses: StepLosses, outputs: Readonly<Record<string, TensorValue>>): StepLosses {
  const added = (name: string, before: number): number => before + (outputs[name]?.data[0] ?? 0)
  return {
    loss: added('loss', losses.loss),
    ce: added('ce', losses.ce),
    terms: Object.fromEntries(Object.entries(losses.terms).map(([name, before]) => [name, added(name, before)])),
    gradNorm: added('gradNorm', losses.gradNorm),
  }
}
