import { digestParts } from '../data/digest.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

/** What the numbers of every step of a training depend on; what they depend on beside is their trajectory. */
export function trainingIdentity(inputs: TrainInputs, options: TrainOptions): string {
  const { config, train, mixed = [], validation, teacher, weights } = inputs
  const start = [...weights].flatMap(([name, { data }]) => [
    name,
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ])
  const ofTrajectory = { rate: 0, epochs: 0, temperature: 0, alpha: 0, fixed: 0, keepAt: 0 }
  const source = teacher && ('model' in teacher ? teacher.model.digest : teacher.targets.header)
  const taught = teacher ? [source, teacher.shape, teacher.objective] : null
  const others = mixed.map((one) => [one.name, one.train.digest, one.targets?.header ?? null])
  // twice: the first for the order of the names
  const own = { ...ofTrajectory, ...options, ...ofTrajectory }
  const described = JSON.stringify([config, own, train.digest, others, validation.digest, taught])
  return digestParts([described, ...start])
}
