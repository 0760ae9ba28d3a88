import { checkLesson } from '../data/targets/check.ts'
import { orderOf } from './mixture.ts'
import { valuesOf } from './schedule.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

/** Throws Failure TARGETS_LOSS, TARGETS_TEMPERATURE where stored targets cannot teach all steps of a training. */
export function checkTaught({ train, mixed = [], teacher }: TrainInputs, options: TrainOptions): void {
  if (!teacher || !('targets' in teacher)) return
  const order = orderOf(train, mixed, options)
  const course = { steps: options.rate.steps, epochAt: (step: number) => order.epochAt(step) }
  const temperatures = valuesOf(options.temperature, course)
  const losses = Object.keys(teacher.objective.weights)
  const serves = checkLesson(teacher.targets.header.form, { losses, temperatures })
  if (!serves.ok) throw serves.error
}
