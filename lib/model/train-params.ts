import type { TrainOptions } from './train.ts'
import { adamW } from './optimizer.ts'

/** The parameters that all trainings share, as properties of a stage's JSON schema. */
export const trainProperties = {
  context: { type: 'integer', minimum: 1, description: 'tokens in a row' },
  batch: { type: 'integer', minimum: 1, default: 8, description: 'rows in a step' },
  accumulate: { type: 'integer', minimum: 1, default: 1, description: 'micro-batches that a step is cut into' },
  epochs: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'passes over the training text' },
  steps: { type: 'integer', minimum: 0, default: 0, description: 'steps of the optimizer; 0: as `epochs` says' },
  rate: { type: 'number', exclusiveMinimum: 0, default: 0.001, description: 'learning rate at its peak' },
  warmup: { type: 'number', minimum: 0, maximum: 1, default: 0.02, description: 'share of the steps until the peak' },
  decay: { enum: ['constant', 'linear', 'cosine'], default: 'cosine', description: 'how the rate falls after it' },
  last: { type: 'number', minimum: 0, maximum: 1, default: 0.1, description: "the last step's share of the peak" },
  weightDecay: { type: 'number', minimum: 0, default: 0.01, description: 'decoupled, on matrices only' },
  clip: { type: 'number', exclusiveMinimum: 0, default: 1, description: "limit of the gradient's global norm" },
  seed: { type: 'integer', minimum: 0, default: 1, description: 'of the order of rows, and of new weights' },
  validateEvery: { type: 'integer', minimum: 1, default: 100, description: 'steps between validations' },
  validationRows: { type: 'integer', minimum: 0, default: 0, description: 'rows validated on; 0: all' },
  chunk: { type: 'integer', minimum: 1, default: 512, description: 'tokens whose logits exist at once' },
} as const

export interface TrainParams {
  readonly context: number
  readonly batch: number
  readonly accumulate: number
  readonly epochs: number
  readonly steps: number
  readonly rate: number
  readonly warmup: number
  readonly decay: 'constant' | 'linear' | 'cosine'
  readonly last: number
  readonly weightDecay: number
  readonly clip: number
  readonly seed: number
  readonly validateEvery: number
  readonly validationRows: number
  readonly chunk: number
}

/** `rows` is the number of rows of the training split; `alphaLast` is the alpha of the last step where it changes. */
export function trainOptions(
  params: TrainParams,
  rows: number,
  distillation: { readonly temperature: number; readonly alpha: number; readonly alphaLast?: number | undefined },
): TrainOptions {
  const { context, batch, accumulate, clip, seed, validateEvery, validationRows, chunk } = params
  const steps = params.steps || Math.ceil((params.epochs * rows) / batch)
  const { temperature, alpha, alphaLast = alpha } = distillation
  return {
    ...{ context, batch, accumulate, clip, seed, validateEvery, validationRows, chunk, temperature },
    alpha: { first: alpha, last: alphaLast },
    rate: {
      peak: params.rate,
      warmup: Math.round(params.warmup * steps),
      decay: params.decay,
      last: params.last,
      steps,
    },
    optimizer: { ...adamW, weightDecay: params.weightDecay },
  }
}
