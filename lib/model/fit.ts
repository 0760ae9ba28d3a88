import { writeFileSync } from 'node:fs'
import { copyTokenizer } from '../data/model-files.ts'
import { orderOf } from './mixture.ts'
import { trainOptions } from './train-params.ts'
import type { DistillParams, TrainParams } from './train-params.ts'
import { train } from './train.ts'
import type { TrainHooks, TrainInputs } from './train.ts'
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
  const order = orderOf(inputs.train, inputs.mixed ?? [], params)
  const inside = inputs.teacher !== undefined && 'model' in inputs.teacher
  const setting = { config: inputs.config, rowsIn: (epochs: number) => order.count(epochs), inside }
  const options = trainOptions(params, setting, params)
  const { weights, best, points } = await train(inputs, options, {
    ...hooks,
    onStep: ({ step, loss }, total) => hooks.progress({ done: step, total, unit: 'steps', loss }),
  })
  hooks.log(`lowest validation loss ${best.loss.toFixed(4)} after step ${best.step}`)
  saveModel(to.model, { config: inputs.config, weights }, { eos, dtype: to.dtype })
  copyTokenizer(tokenizer, to.model)
  writeFileSync(to.curves, points.map((point) => `${JSON.stringify(point)}\n`).join(''))
}
