import { createHash } from 'node:crypto'
import { orderOf } from './mixture.ts'
import type { Order } from './order.ts'
import { rateAt, valueAt } from './schedule.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

/**
 * What a training is fed in each of its steps, of all that its length has a say in: the rate, alpha, the temperature and
 * the rows. Two trainings that are else the same are the same for as long as these are.
 */
export class Trajectory {
  readonly #order: Order
  readonly #options: TrainOptions
  readonly #isTaught: boolean
  #hash = createHash('sha256')
  #hashed = 0

  constructor({ train, mixed = [], teacher }: Pick<TrainInputs, 'train' | 'mixed' | 'teacher'>, options: TrainOptions) {
    this.#order = orderOf(train, mixed, options)
    this.#options = options
    this.#isTaught = teacher !== undefined
  }

  /** Of the first so many steps. */
  digest(steps: number): string {
    if (steps < this.#hashed) [this.#hash, this.#hashed] = [createHash('sha256'), 0]
    while (this.#hashed < steps) this.#hash.update(`${this.#step(this.#hashed++)}\n`)
    return this.#hash.copy().digest('hex')
  }

  /** How many steps two have in common, from the first on. */
  sharedWith(other: Trajectory): number {
    const most = Math.min(this.#options.rate.steps, other.#options.rate.steps)
    for (let step = 0; step < most; step++) if (this.#step(step) !== other.#step(step)) return step
    return most
  }

  #step(step: number): string {
    const { rate, alpha, temperature, fixed = 0 } = this.#options
    const epochAt = (at: number): number => this.#order.epochAt(at)
    const course = { steps: rate.steps, epochAt }
    const taught = this.#isTaught ? [valueAt(alpha, course, step), valueAt(temperature, course, step)] : []
    // layers that do not learn are computed elsewhere where they are kept, which may round in another way
    return JSON.stringify([rateAt(rate, step), ...taught, fixed, epochAt(step), this.#order.rowsOf(step)])
  }
}
