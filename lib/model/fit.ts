import { writeFileSync } from 'node:fs'
import { copyTokenizer } from '../data/model-files.ts'
import { orderOf } from './mixture.ts'
import { trainOptions } from './train-params.ts'
import type { DistillParams, TrainParams } from './train-params.ts'
import { train } from './train.ts'
import { Trajectory } from './trajectory.ts'
import type { TrainHooks, TrainInputs, TrainOptions } from './train.ts'
import { saveModel } from './weights.ts'

export interface Fit {
  readonly inputs: TrainInputs
  readonly params: TrainParams & DistillParams
  /** The folder of the new model, and the file of its curves: JSON lines of CurvePoint. */
  readonly to: { readonly model: string; readonly curves: string; readonly dtype: 'F32' | 'F16' }
  /** A folder that holds the tokenizer. */
  readonly tokenizer: string
  readonly eos: number
}

type Hooks = Omit<TrainHooks, 'onStep'> & {
  readonly progress: (progress: { done: number; total: number; unit: string; loss: number }) => void
}

/** Trains, and writes the best model with its tokenizer and curves. Throws what `train` throws. */
export async function fit({ inputs, params, to, tokenizer, eos }: Fit, hooks: Hooks): Promise<void> {
  const options = optionsOf(inputs, params)
  const keepAt = sharedSteps(inputs, options, params)
  const { weights, best, points } = await train(
    inputs,
    { ...options, keepAt },
    {
      ...hooks,
      onStep: ({ step, loss }, total) => hooks.progress({ done: step, total, unit: 'steps', loss }),
    },
  )
  hooks.log(`lowest validation loss ${best.loss.toFixed(4)} after step ${best.step}`)
  const { skipped = 0 } = points.at(-1) ?? {}
  if (skipped > 0) hooks.log(`${skipped} updates of ${options.rate.steps} were left out: their gradients overflowed`)
  saveModel(to.model, { config: inputs.config, weights }, { eos, dtype: to.dtype })
  copyTokenizer(tokenizer, to.model)
  writeFileSync(to.curves, points.map((point) => `${JSON.stringify(point)}\n`).join(''))
}

function optionsOf(inputs: TrainInputs, params: Fit['params']): TrainOptions {
  const order = orderOf(inputs.train, inputs.mixed ?? [], params)
  const inside = inputs.teacher !== undefined && 'model' in inputs.teacher
  return trainOptions(params, { config: inputs.config, rowsIn: (epochs) => order.count(epochs), inside }, params)
}

/** The names of the parameters that make a training longer and are nothing else. */
export const lengths = ['epochs', 'steps'] as const

/** The steps that a longer training would begin with, were it but longer; 0 where that would save it less than half. */
function sharedSteps(inputs: TrainInputs, options: TrainOptions, params: Fit['params']): number {
  const longer = optionsOf(inputs, { ...params, epochs: params.epochs + 1, steps: 2 * params.steps })
  const shared = new Trajectory(inputs, options).sharedWith(new Trajectory(inputs, longer))
  return 2 * shared < options.rate.steps ? 0 : shared
}
