import type { Split } from '../data/tokens.ts'
import type { Engine, TensorValue } from '../engine/engine.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import type { AdamW } from './optimizer.ts'
import type { AlphaSchedule, RateSchedule } from './schedule.ts'
import type { StoredTeacher } from './taught.ts'
import { Trainer } from './trainer.ts'

export interface TrainOptions {
  /** Tokens in a row. */
  readonly context: number
  /** Rows in a step. */
  readonly batch: number
  /** Micro-batches that a step is cut into; the same gradient with less memory. */
  readonly accumulate: number
  readonly rate: RateSchedule
  readonly optimizer: AdamW
  /** Limit of the gradient's global norm. */
  readonly clip: number
  readonly seed: number
  /** Steps between two validations; the first is before the first step, the last after the last. */
  readonly validateEvery: number
  /** Rows of the validation split that are used, from its beginning; 0 for all. */
  readonly validationRows: number
  /** Tokens whose logits exist at once. */
  readonly chunk: number
  readonly temperature: number
  /** Share of the teacher in the loss; of no effect without one. */
  readonly alpha: AlphaSchedule
}

export interface TrainInputs {
  readonly engine: Engine
  readonly config: GptConfig
  /** Of the start. They are given away: the training changes them in place. */
  readonly weights: ReadonlyMap<string, TensorValue>
  readonly train: Split
  readonly validation: Split
  readonly teacher?: StoredTeacher
}

export interface TrainHooks {
  /** A folder for checkpoints. */
  readonly checkpoint: string
  readonly signal: AbortSignal
  readonly onStep: (point: CurvePoint, steps: number) => void
  readonly log: (message: string) => void
}

/** A line of the curves; losses in nats per token. */
export interface CurvePoint {
  readonly step: number
  readonly epoch: number
  readonly loss: number
  readonly ce: number
  readonly kl?: number
  readonly rate: number
  readonly gradNorm: number
  readonly validationLoss?: number
}

export interface Trained {
  /** Of the step with the lowest validation loss, which may be the start. */
  readonly weights: ReadonlyMap<string, TensorValue>
  readonly best: { readonly step: number; readonly loss: number }
  readonly points: readonly CurvePoint[]
}

/**
 * Trains to the end, or from the last checkpoint on: with the same inputs it gives the same bytes however often it was
 * interrupted. Throws Failure LOSS_NOT_FINITE, CHECKPOINT_FOREIGN, CONTEXT_TOO_LONG; an AbortError after a checkpoint
 * when the signal says so.
 */
export async function train(inputs: TrainInputs, options: TrainOptions, hooks: TrainHooks): Promise<Trained> {
  checkContext(inputs.config, options.context)
  const memory = inputs.engine.memory()
  const trainer = await Trainer.create(inputs, options, hooks, memory)
  try {
    await trainer.resume()
    while (!trainer.done) await trainer.step()
    return trainer.result()
  } finally {
    await trainer.dispose()
    memory.dispose()
  }
}
