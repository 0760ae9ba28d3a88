import type { Feeds, TensorValue } from '../engine/engine.ts'
import { documentsOf } from './batches.ts'
import type { Rows, TokenStates, TokenTargets } from './batches.ts'
import type { GptConfig } from './config.ts'
import { dropFeeds } from './dropout.ts'
import { takesTemperature } from './losses.ts'
import { joinedRows, joinedTargets, orderOf } from './mixture.ts'
import type { Order } from './order.ts'
import type { LossScale } from './loss-scale.ts'
import { corrections } from './optimizer.ts'
import { rateAt, valueAt } from './schedule.ts'
import { scalar } from './steps.ts'
import { teacherFeeds } from './taught.ts'
import type { StoredShape } from './taught.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

/**
 * What the programs of a training are fed: functions of the step alone, and of the loss's scale where there is one, so
 * that a resumed one goes on with the same.
 */
export class StepFeeds {
  readonly rows: Rows
  readonly #order: Order
  readonly #teacher: TrainInputs['teacher']
  readonly #stored: { readonly shape: StoredShape; readonly targets: TokenTargets } | undefined
  readonly #config: GptConfig
  #made: { readonly step: number; readonly feeds: readonly Feeds[] } | undefined
  /** Undefined where no layer is run, which could see anything. */
  readonly #attend: TrainOptions['attend']
  readonly #options: TrainOptions

  constructor({ config, train, teacher, mixed = [] }: TrainInputs, options: TrainOptions) {
    this.rows = joinedRows(train, mixed, options.context)
    this.#order = orderOf(train, mixed, options)
    this.#teacher = teacher
    if (teacher && 'targets' in teacher) {
      this.#stored = { shape: teacher.shape, targets: joinedTargets(teacher.targets, train.ids.length, mixed) }
    }
    this.#config = config
    this.#attend = options.fixed === config.layers ? undefined : options.attend
    this.#options = options
  }

  /** Of each micro-batch of a step, the same when asked again; with the optimizer's where one program does both. */
  ofStep(step: number, fixed: TokenStates | undefined, isWhole: boolean, scale?: LossScale): readonly Feeds[] {
    if (this.#made?.step !== step) {
      const update = { ...(isWhole ? this.update(step, scale) : {}), ...scaleFeeds(scale) }
      this.#made = { step, feeds: this.losses(step, fixed).map((part) => ({ ...part, ...update })) }
    }
    return this.#made.feeds
  }

  /** Of each micro-batch of a step, counted from 0; what comes out of fixed layers is fed in place of the tokens. */
  losses(step: number, fixed: TokenStates | undefined): readonly Feeds[] {
    const { accumulate, batch } = this.#options
    const indices = this.#order.rowsOf(step)
    const size = batch / accumulate
    const parts = Array.from({ length: accumulate }, (_, part) => indices.slice(part * size, (part + 1) * size))
    const feeds = parts.map((part) => this.rows.feeds(part))
    const valid = feeds.reduce((sum, one) => sum + one.valid, 0)
    return feeds.map(({ tokens, labels }, part) => ({
      ...(fixed ? { fixed: this.#fixed(parts[part]!, fixed) } : { tokens }),
      ...documentsOf(this.rows, parts[part]!, this.#attend),
      ...{ labels, weight: scalar(valid) },
      ...this.#taught(step, parts[part]!),
      ...this.#dropped(step, part),
    }))
  }

  /** Of the optimizer, whose moments know nothing of steps that were left out. */
  update(step: number, scale?: LossScale): Feeds {
    const { rate, optimizer } = this.#options
    const [correction1, correction2] = corrections(step + 1 - (scale?.skipped ?? 0), optimizer)
    return {
      rate: scalar(rateAt(rate, step)),
      correction1: scalar(correction1),
      correction2: scalar(correction2),
    }
  }

  /** Epochs done when `step` begins. */
  epochAt(step: number): number {
    return this.#order.epochAt(step)
  }

  /** (B, T, C) */
  #fixed(indices: readonly number[], states: TokenStates): TensorValue {
    const { data } = this.rows.states(indices, states)
    return { shape: [indices.length, this.#options.context, states.width], data }
  }

  #dropped(step: number, part: number): Feeds {
    const { batch, accumulate, context, seed, dropout = 0 } = this.#options
    return dropout === 0 ? {} : dropFeeds(this.#config, [batch / accumulate, context], { seed, step, part })
  }

  #taught(step: number, indices: readonly number[]): Feeds {
    if (!this.#teacher) return {}
    const { temperature, alpha, rate } = this.#options
    const course = { steps: rate.steps, epochAt: (at: number) => this.epochAt(at) }
    const now = valueAt(temperature, course, step)
    return {
      ...this.#told(indices, now),
      alpha: scalar(valueAt(alpha, course, step)),
      ...(takesTemperature(this.#teacher.objective) ? { temperature: scalar(now) } : {}),
    }
  }

  #told(indices: readonly number[], temperature: number): Feeds {
    if (!this.#stored) return {}
    const { shape, targets } = this.#stored
    return teacherFeeds(shape, this.rows.targets(indices, targets), temperature)
  }
}

const scaleFeeds = (scale: LossScale | undefined): Feeds =>
  scale ? { lossScale: scalar(scale.scale), lossUnscale: scalar(1 / scale.scale) } : {}
