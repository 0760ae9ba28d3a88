import type { TensorValue } from '../engine/engine.ts'
import { projectionShapes, startProjections } from './projections.ts'
import { emptyOf } from './steps.ts'
import type { TrainInputs, TrainOptions } from './train.ts'
import { weightShapes } from './weights.ts'

/**
 * What a training keeps beside the student's weights, as it starts: moments and sums of what
 * learns, projections.
 */
export function startBeside(
  { config, teacher }: TrainInputs,
  { accumulate, seed, frozen = [] }: TrainOptions,
): Map<string, TensorValue> {
  const learning = [...weightShapes(config)].filter(([weight]) => !frozen.includes(weight))
  const empty = emptyOf(new Map(learning), accumulate)
  if (!teacher || !('model' in teacher)) return empty
  const projections = projectionShapes(teacher.inner, config, teacher.model.config)
  return new Map([...empty, ...emptyOf(projections, accumulate), ...startProjections(projections, seed)])
}
