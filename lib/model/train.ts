import type { Split } from '../data/tokens.ts'
import type { Attend } from '../data/windows.ts'
import type { Engine, TensorValue } from '../engine/engine.ts'
import { checkTaught } from './check-taught.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import type { LossScaling } from './loss-scale.ts'
import type { Objective } from './losses.ts'
import type { Mixed } from './mixture.ts'
import type { AdamW } from './optimizer.ts'
import type { RateSchedule, Schedule } from './schedule.ts'
import type { Ask } from './questions.ts'
import type { Teacher } from './taught.ts'
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
  /** Names of weights that do not learn: they get no gradient, no moments and no decay. */
  readonly frozen?: readonly string[]
  /** So many of the first layers, none of which learns, are run once for each row: what comes out of them is kept. */
  readonly fixed?: number
  /** What a token sees; the row where not given. */
  readonly attend?: Attend
  /** Decay of a running average of the weights, which is then what is validated and given; 0 for none. */
  readonly ema?: number
  /** Share of the student's activations that a step leaves out, others each time; none are where it is validated. */
  readonly dropout?: number
  /** Validations without a new best that end the training; 0: it goes to its end. */
  readonly patience?: number
  /** Given where gradients pass through halves; the loss is not scaled else. */
  readonly lossScaling?: LossScaling
  /** Limit of the gradient's global norm. */
  readonly clip: number
  readonly seed: number
  /** In whose course the weights of what is mixed in change. */
  readonly epochs?: number
  /**
   * After so many steps the state is kept in the folder `extend` of the checkpoints', from which a longer training of the
   * same beginning goes on; 0: it is not.
   */
  readonly keepAt?: number
  /** Steps between two validations; the first is before the first step, the last after the last. */
  readonly validateEvery: number
  /** Rows of the validation split that are used, from its beginning; 0 for all. */
  readonly validationRows: number
  /** Tokens whose logits exist at once. */
  readonly chunk: number
  readonly temperature: Schedule
  /** Share of the teacher in the loss; of no effect without one. */
  readonly alpha: Schedule
}

export interface TrainInputs {
  readonly engine: Engine
  readonly config: GptConfig
  /** Of the start. They are given away: the training changes them in place. */
  readonly weights: ReadonlyMap<string, TensorValue>
  readonly train: Split
  /** What is mixed into the training split, in the order of its rows. */
  readonly mixed?: readonly Mixed[]
  readonly validation: Split
  readonly teacher?: TrainTeacher
}

export type TrainTeacher = Teacher & { readonly objective: Objective }

export interface TrainHooks {
  /** A folder for checkpoints; its folder `extend` may hold the one of a shorter training. */
  readonly checkpoint: string
  readonly signal: AbortSignal
  readonly onStep: (point: CurvePoint, steps: number) => void
  readonly log: (message: string) => void
  /** Asked after each validation but the first; drawn beside it, and nothing is chosen by it. */
  readonly ask?: Ask
}

/** A line of the curves; losses are means per token, in nats unless a term is something else. */
export interface CurvePoint {
  readonly step: number
  readonly epoch: number
  readonly loss: number
  readonly ce: number
  /** Of the distance to the teacher, by name: without weights, alpha and T². Absent without a teacher. */
  readonly terms?: Readonly<Record<string, number>>
  readonly rate: number
  /** 0 where the update was left out. */
  readonly gradNorm: number
  /** By what the loss is scaled after this step, and how many updates were left out so far; where it is scaled. */
  readonly lossScale?: number
  readonly skipped?: number
  readonly validationLoss?: number
  /** Share of the questions right. */
  readonly accNorm?: number
}

export interface Trained {
  /** Of the step with the lowest validation loss, which may be the start; their average where one is kept. */
  readonly weights: ReadonlyMap<string, TensorValue>
  readonly best: { readonly step: number; readonly loss: number }
  readonly points: readonly CurvePoint[]
}

/**
 * Trains to the end, or from the last checkpoint on: with the same inputs it gives the same bytes however often it was
 * interrupted. Throws Failure LOSS_NOT_FINITE, CHECKPOINT_FOREIGN, CONTEXT_TOO_LONG, TARGETS_LOSS, TARGETS_TEMPERATURE;
 * an AbortError after a checkpoint when the signal says so.
 */
export async function train(inputs: TrainInputs, options: TrainOptions, hooks: TrainHooks): Promise<Trained> {
  checkContext(inputs.config, options.context)
  checkTaught(inputs, options)
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
