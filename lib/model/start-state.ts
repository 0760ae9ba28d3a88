import type { TensorValue } from '../engine/engine.ts'
import { averageName } from './average.ts'
import { projectionShapes, startProjections } from './projections.ts'
import { averagedNames, emptyOf } from './steps.ts'
import type { TrainInputs, TrainOptions } from './train.ts'
import { weightShapes } from './weights.ts'

/**
 * What a training keeps beside the student's weights, as it starts: moments and sums of what
 * learns, averages, projections.
 */
export function startBeside(
  { config, teacher, weights }: TrainInputs,
  options: TrainOptions,
): Map<string, TensorValue> {
  const { accumulate, seed, frozen = [] } = options
  const learning = [...weightShapes(config)].filter(([weight]) => !frozen.includes(weight))
  const averages = averagedNames({ ...options, config }).map((name): [string, TensorValue] => {
    const { shape, data } = weights.get(name)!
    return [averageName(name), { shape, data: data.slice() }]
  })
  const own = new Map([...emptyOf(new Map(learning), accumulate), ...averages])
  if (teacher?.shape.kind !== 'online') return own
  const projections = projectionShapes(teacher.shape.inner, config, teacher.shape.config)
  return new Map([...own, ...emptyOf(projections, accumulate), ...startProjections(projections, seed)])
}
