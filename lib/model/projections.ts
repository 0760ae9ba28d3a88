import type { TensorValue } from '../engine/engine.ts'
import { sizeOf } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import type { InnerLosses } from './inner.ts'
import { Random } from '../util/random.ts'

type Shape = readonly number[]

/** The matrix of a pair of layers, which learns with the student and is no part of it. */
export const projectionName = (pair: number): string => `projection.${pair}.weight`

/** (width of the student, width of the teacher) each. */
export const projectionShapes = ({ hidden }: InnerLosses, student: GptConfig, teacher: GptConfig): Map<string, Shape> =>
  new Map(hidden.pairs.map((_, pair) => [projectionName(pair), [student.width, teacher.width]]))

/** As they start: normal, so that what goes through them keeps its size. */
export function startProjections(shapes: ReadonlyMap<string, Shape>, seed: number): Map<string, TensorValue> {
  const start = ([name, shape]: [string, Shape]): [string, TensorValue] => {
    const random = new Random(seed, name)
    const deviation = 1 / Math.sqrt(shape[0]!)
    return [name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal() * deviation) }]
  }
  return new Map([...shapes].map(start))
}
