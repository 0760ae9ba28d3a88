import { attendProperty } from '../data/windows.ts'
import type { Attend } from '../data/windows.ts'
import type { Precision } from '../engine/engine.ts'
import type { GptConfig } from './config.ts'
import { fixedLayers, frozenWeights } from './freeze.ts'
import { lossScaling } from './loss-scale.ts'
import { adamW } from './optimizer.ts'
import { choices } from '../util/choices.ts'
import type { Bend, Decay, Schedule } from './schedule.ts'
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
      from: { type: 'number', ...limits, description: 'its value in the first step' },
      to: { type: 'number', ...limits, description: 'its value in the last step, exactly' },
      shape: {
        ...choices<Bend>({
          linear: 'a straight line',
          cosine: 'half a cosine: to + (from − to)·(1 + cos πx)/2, x the share of the way that is done',
        }),
        default: 'linear',
        description: 'the way from one to the other',
      },
      by: {
        ...choices({ step: 'with every step of the optimizer', epoch: 'from one epoch to the next' }),
        default: 'step',
        description: 'when it changes',
      },
    },
  }) as const

/** The parameters that all trainings share, as properties of a stage's JSON schema. */
export const trainProperties = {
  context: {
    type: 'integer',
    minimum: 1,
    description: "tokens in a row of the text; at most as many as the model's table of positions has",
  },
  attend: attendProperty,
  batch: { type: 'integer', minimum: 1, default: 8, description: 'rows in a step of the optimizer' },
  accumulate: {
    type: 'integer',
    minimum: 1,
    default: 1,
    description: 'micro-batches that the rows of a step are cut into, one after another: less memory, the same step',
  },
  epochs: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description: 'passes over the training text; 0.5 is half of one',
  },
  steps: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'steps of the optimizer; 0: as many as `epochs` needs',
  },
  rate: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 0.001,
    description:
      'learning rate at its peak, without unit. AdamW: w ← w − rate·(m̂ / (√v̂ + 10⁻⁸) + weightDecay·w), m̂ and v̂ the running means of the gradient and its square with 0.9 and 0.999, corrected for their start (Loshchilov and Hutter 2019, arXiv:1711.05101)',
  },
  warmup: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.02,
    description:
      'share of the steps in which the rate rises in a straight line to its peak, never from 0 (Goyal et al. 2017, arXiv:1706.02677)',
  },
  decay: {
    ...choices<Decay>({
      constant: 'it stays at its peak',
      linear: 'it falls in a straight line to `last` of the peak',
      cosine:
        'it falls by half a cosine: peak·(last + (1 − last)·(1 + cos πx)/2), x the share of the steps after the warm-up (Loshchilov and Hutter 2017, arXiv:1608.03983)',
      wsd: 'warm-up, stable, decay: it keeps the peak, then falls in a straight line over `decayShare` of the steps (Hu et al. 2024, arXiv:2404.06395)',
    }),
    default: 'cosine',
    description: 'how the rate goes on after the warm-up',
  },
  decayShare: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.2,
    description: 'share of all steps in which the rate falls, at the end; of `decay: wsd` alone',
  },
  last: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.1,
    description: 'the rate of the last step as a share of the peak; without effect where it is constant',
  },
  weightDecay: {
    type: 'number',
    minimum: 0,
    default: 0.01,
    description:
      'decoupled: each step takes rate·weightDecay of a weight away, of matrices and embeddings alone (Loshchilov and Hutter 2019, arXiv:1711.05101)',
  },
  clip: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description:
      "limit of the gradient's norm √Σg² over all weights: a longer one is scaled down to it (Pascanu et al. 2013, arXiv:1211.5063)",
  },
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
    description:
      'share of the embedding, of attention and of what layers add that each step leaves out, the rest larger by 1 / (1 − dropout) (Srivastava et al. 2014, JMLR 15)',
  },
  ema: {
    type: 'number',
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0,
    description:
      "decay of the weights' running average a ← ema·a + (1 − ema)·w a step, which is then what is validated and kept (Tarvainen and Valpola 2017, arXiv:1703.01780); 0: none",
  },
  patience: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'validations without a new best that end the training; 0: none do',
  },
  seed: {
    type: 'integer',
    minimum: 0,
    default: 1,
    description: 'what the order of rows, new weights and dropout are drawn from',
  },
  validateEvery: { type: 'integer', minimum: 1, default: 100, description: 'steps from one validation to the next' },
  validationRows: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'rows of the validation split that are read at each validation; 0: all',
  },
  chunk: {
    type: 'integer',
    minimum: 1,
    default: 512,
    description: 'tokens whose logits exist at once in the loss: less memory, the same loss',
  },
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
