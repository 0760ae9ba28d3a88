import { attends } from '../data/windows.ts'
import type { Attend } from '../data/windows.ts'
import type { Precision } from '../engine/engine.ts'
import type { GptConfig } from './config.ts'
import { fixedLayers, frozenWeights } from './freeze.ts'
import { lossScaling } from './loss-scale.ts'
import { adamW } from './optimizer.ts'
import { bends, decays } from './schedule.ts'
import type { Decay, Schedule } from './schedule.ts'
import type { TrainOptions } from './train.ts'

/** A number that may change, as a property of a stage's JSON schema: the number, a list, or `{ from, to, shape, by }`. */
export const scheduleProperty = <const L extends object>(limits: L) =>
  ({
    type: ['number', 'array', 'object'],
    ...limits,
    items: { type: 'number', ...limits },
    minItems: 1,
    additionalProperties: false,
    required: ['from', 'to'],
    properties: {
      from: { type: 'number', ...limits, description: 'in the first step' },
      to: { type: 'number', ...limits, description: 'in the last' },
      shape: { enum: bends, default: 'linear', description: 'of the way from one to the other' },
      by: { enum: ['step', 'epoch'], default: 'step', description: 'when it changes' },
    },
  }) as const

/** The parameters that all trainings share, as properties of a stage's JSON schema. */
export const trainProperties = {
  context: { type: 'integer', minimum: 1, description: 'tokens in a row' },
  attend: {
    enum: attends,
    default: 'row',
    description: 'what a token sees: all before it in its row, or in its document alone',
  },
  batch: { type: 'integer', minimum: 1, default: 8, description: 'rows in a step' },
  accumulate: { type: 'integer', minimum: 1, default: 1, description: 'micro-batches that a step is cut into' },
  epochs: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'passes over the training text' },
  steps: { type: 'integer', minimum: 0, default: 0, description: 'steps of the optimizer; 0: as `epochs` says' },
  rate: { type: 'number', exclusiveMinimum: 0, default: 0.001, description: 'learning rate at its peak' },
  warmup: { type: 'number', minimum: 0, maximum: 1, default: 0.02, description: 'share of the steps until the peak' },
  decay: { enum: decays, default: 'cosine', description: 'how the rate falls after it; wsd: late, in a straight line' },
  decayShare: { type: 'number', minimum: 0, maximum: 1, default: 0.2, description: "wsd's steps that fall, of all" },
  last: { type: 'number', minimum: 0, maximum: 1, default: 0.1, description: "the last step's share of the peak" },
  weightDecay: { type: 'number', minimum: 0, default: 0.01, description: 'decoupled, on matrices only' },
  clip: { type: 'number', exclusiveMinimum: 0, default: 1, description: "limit of the gradient's global norm" },
  freeze: {
    type: 'array',
    items: { type: 'string', minLength: 1 },
    default: [],
    description: 'names of weights that do not learn; `*` stands for any characters: transformer.h.0.*',
  },
  dropout: {
    type: 'number',
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0,
    description: 'share of the embedding, of attention and of what layers add that each step of training leaves out',
  },
  ema: {
    type: 'number',
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0,
    description: "decay of the weights' running average, which is then what is validated and kept; 0: none",
  },
  patience: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'validations without a new best that end it; 0: none do',
  },
  seed: { type: 'integer', minimum: 0, default: 1, description: 'of the order of rows, of new weights and of dropout' },
  validateEvery: { type: 'integer', minimum: 1, default: 100, description: 'steps between validations' },
  validationRows: { type: 'integer', minimum: 0, default: 0, description: 'rows validated on; 0: all' },
  chunk: { type: 'integer', minimum: 1, default: 512, description: 'tokens whose logits exist at once' },
} as const

export interface TrainParams {
  readonly context: number
  readonly attend: Attend
  readonly batch: number
  readonly accumulate: number
  readonly epochs: number
  readonly steps: number
  readonly rate: number
  readonly warmup: number
  readonly decay: Decay
  readonly decayShare: number
  readonly last: number
  readonly weightDecay: number
  readonly clip: number
  readonly freeze: readonly string[]
  readonly dropout: number
  readonly ema: number
  readonly patience: number
  readonly seed: number
  readonly validateEvery: number
  readonly validationRows: number
  readonly chunk: number
  readonly precision: Precision
}

export interface DistillParams {
  readonly temperature: Schedule
  readonly alpha: Schedule
}

/** What the options depend on beside the parameters. */
export interface Setting {
  readonly config: GptConfig
  /** The number of rows that so many epochs have. */
  readonly rowsIn: (epochs: number) => number
  /** Whether somebody looks into the student's layers, so that all must run. */
  readonly inside: boolean
}

/** Throws Failure FREEZE_UNKNOWN, FREEZE_ALL. */
export function trainOptions(
  params: TrainParams,
  { config, rowsIn, inside }: Setting,
  distillation: DistillParams,
): TrainOptions {
  const { context, batch, accumulate, clip, seed, validateEvery, validationRows, chunk } = params
  const { attend, dropout, ema, patience } = params
  const steps = params.steps || Math.ceil(rowsIn(params.epochs) / batch)
  const { temperature, alpha } = distillation
  const frozen = frozenWeights(config, params.freeze)
  return {
    ...{ context, batch, accumulate, clip, seed, validateEvery, validationRows, chunk, temperature, alpha },
    ...{ attend, dropout, ema, patience, epochs: params.epochs },
    rate: {
      peak: params.rate,
      warmup: Math.round(params.warmup * steps),
      decay: params.decay,
      falling: Math.round(params.decayShare * steps),
      last: params.last,
      steps,
    },
    optimizer: { ...adamW, weightDecay: params.weightDecay },
    ...(params.precision === 'fp16' ? { lossScaling } : {}),
    frozen,
    // else no row would be read again, or not as it was: frozen layers drop, too
    fixed: !inside && dropout === 0 && steps * batch > rowsIn(1) ? fixedLayers(config, frozen) : 0,
  }
}
