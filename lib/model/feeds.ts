import type { TensorValue } from '../engine/engine.ts'
import { Order, Rows } from './batches.ts'
import type { RowFeeds } from './batches.ts'
import { corrections } from './optimizer.ts'
import { rateAt, valueAt } from './schedule.ts'
import { scalar } from './steps.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

type Feeds = Readonly<Record<string, TensorValue>>

/** What the programs of a training are fed: functions of the step alone, so that a resumed one goes on with the same. */
export class StepFeeds {
  readonly #rows: Rows
  readonly #order: Order
  readonly #teacher: TrainInputs['teacher']
  readonly #options: TrainOptions

  constructor({ train, teacher }: TrainInputs, options: TrainOptions) {
    this.#rows = new Rows(train, options.context)
    this.#order = new Order(this.#rows.windows.length, options.batch, options.seed)
    this.#teacher = teacher
    this.#options = options
  }

  /** Of each micro-batch of a step, counted from 0. */
  losses(step: number): readonly Feeds[] {
    const { accumulate, batch } = this.#options
    const indices = this.#order.rowsOf(step)
    const size = batch / accumulate
    const parts = Array.from({ length: accumulate }, (_, part) => indices.slice(part * size, (part + 1) * size))
    const feeds = parts.map((part) => this.#rows.feeds(part))
    const valid = feeds.reduce((sum, one) => sum + one.valid, 0)
    return feeds.map((one, part) => this.#loss(step, one, parts[part]!, valid))
  }

  /** Of the optimizer. */
  update(step: number): Feeds {
    const { rate, optimizer } = this.#options
    const [correction1, correction2] = corrections(step + 1, optimizer)
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

  #loss(step: number, { tokens, labels }: RowFeeds, indices: readonly number[], valid: number): Feeds {
    const common = { tokens, labels, weight: scalar(valid) }
    if (!this.#teacher) return common
    const { temperature, alpha, rate } = this.#options
    const course = { steps: rate.steps, epochAt: (at: number) => this.epochAt(at) }
    return {
      ...common,
      teacherHidden: this.#rows.hidden(indices, this.#teacher.targets),
      temperature: scalar(valueAt(temperature, course, step)),
      alpha: scalar(valueAt(alpha, course, step)),
    }
  }
}
