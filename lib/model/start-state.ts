import type { TensorValue } from '../engine/engine.ts'
import { projectionShapes, startProjections } from './projections.ts'
import { emptyOf, emptyState } from './steps.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

/** What a training keeps beside the student's weights, as it starts: moments, sums where it accumulates, projections. */
export function startBeside(
  { config, teacher }: TrainInputs,
  { accumulate, seed }: TrainOptions,
): Map<string, TensorValue> {
  const empty = emptyState(config, accumulate)
  if (!teacher || !('model' in teacher)) return empty
  const projections = projectionShapes(teacher.inner, config, teacher.model.config)
  return new Map([...empty, ...emptyOf(projections, accumulate), ...startProjections(projections, seed)])
}
