import { Random } from '../util/random.ts'
import { valueAt } from './schedule.ts'
import type { Schedule } from './schedule.ts'

/** A corpus that is mixed into another, as far as its order goes. */
export interface MixedRows {
  readonly name: string
  readonly rows: number
  /** Of its rows, how many an epoch takes, as a share: 1 takes each once, 0.2 a fifth of them, 2 each twice. */
  readonly weight: Schedule
}

export interface OrderOptions {
  /** Rows of a step. */
  readonly batch: number
  readonly seed: number
  readonly mixed?: readonly MixedRows[]
  /** Epochs in whose course weights change; they stay as they are after these. */
  readonly epochs?: number
}

/** How far a mixed corpus has come. */
interface Place {
  /** Rows that it is owed: it is given one for each whole one. */
  readonly owed: number
  readonly taken: number
}

/** Where an epoch begins. */
interface Begin {
  readonly at: number
  /** Of each mixed corpus. */
  readonly places: readonly Place[]
}

/** One, but for the rounding of a sum of shares. */
const whole = 1 - 1e-6

/**
 * Which rows a step trains on: epochs of all rows, each in an order of its own, one after another. Rows of mixed corpora,
 * which are counted on after the others, come in between at an even rate, by their weights at that very place, and in
 * epochs of their own. A function of the step alone, so that a resumed run goes on with the very same rows.
 */
export class Order {
  readonly #rows: number
  readonly #options: OrderOptions
  readonly #mixed: readonly (MixedRows & { readonly first: number })[]
  readonly #begins: Begin[]
  readonly #epochs = new Map<number, readonly number[]>()
  readonly #shuffles = new Map<string, { readonly epoch: number; readonly order: readonly number[] }>()

  constructor(rows: number, options: OrderOptions) {
    this.#rows = rows
    this.#options = options
    let first = rows
    this.#mixed = (options.mixed ?? []).map((one) => ({ ...one, first: (first += one.rows) - one.rows }))
    this.#begins = [{ at: 0, places: this.#mixed.map(() => ({ owed: 0, taken: 0 })) }]
  }

  rowsOf(step: number): number[] {
    const { batch } = this.#options
    return Array.from({ length: batch }, (_, k) => {
      const at = step * batch + k
      const epoch = this.#epochOf(at)
      return this.#epoch(epoch)[at - this.#begins[epoch]!.at]!
    })
  }

  /** Epochs done when `step` begins. */
  epochAt(step: number): number {
    const at = step * this.#options.batch
    const epoch = this.#epochOf(at)
    const { length } = this.#epoch(epoch)
    return (epoch * length + at - this.#begins[epoch]!.at) / length
  }

  /** Rows in so many epochs. */
  count(epochs: number): number {
    const full = Math.floor(epochs)
    let own = Math.ceil((epochs - full) * this.#rows)
    const rows = this.#epoch(full)
    const end = rows.findIndex((row) => row < this.#rows && own-- === 0)
    return this.#begins[full]!.at + (end < 0 ? rows.length : end)
  }

  #epochOf(at: number): number {
    for (let next = this.#begins.length - 1; this.#begins[next]!.at <= at; next++) this.#epoch(next)
    return this.#begins.findLastIndex((begin) => begin.at <= at)
  }

  #epoch(number: number): readonly number[] {
    while (this.#begins.length <= number) this.#epoch(this.#begins.length - 1)
    const known = this.#epochs.get(number)
    if (known) return known
    const rows = this.#mix(number)
    this.#epochs.delete(number - 2) // a batch reaches over two epochs at most, unless it is larger than one
    this.#epochs.set(number, rows)
    return rows
  }

  #mix(number: number): readonly number[] {
    const own = this.#shuffled(this.#rows, `order of epoch ${number}`)
    const { at, places } = this.#begins[number]!
    const [owed, taken] = [places.map((place) => place.owed), places.map((place) => place.taken)]
    const rows: number[] = []
    own.forEach((row, n) => {
      rows.push(row)
      this.#mixed.forEach((one, i) => {
        owed[i]! += (this.#weightAt(one, number * this.#rows + n) * one.rows) / this.#rows
        for (; owed[i]! > whole; owed[i]! -= 1) rows.push(one.first + this.#mixedRow(one, taken[i]!++))
      })
    })
    if (this.#begins.length === number + 1) {
      this.#begins.push({ at: at + rows.length, places: owed.map((rest, i) => ({ owed: rest, taken: taken[i]! })) })
    }
    return rows
  }

  /** Where so many rows of the text itself are done. */
  #weightAt({ weight }: MixedRows, done: number): number {
    const steps = Math.ceil((this.#options.epochs ?? 1) * this.#rows)
    return valueAt(weight, { steps, epochAt: (at) => at / this.#rows }, done)
  }

  /** The n-th row that is taken of a mixed corpus. */
  #mixedRow({ name, rows }: MixedRows, n: number): number {
    const epoch = Math.floor(n / rows)
    const last = this.#shuffles.get(name)
    const order = last?.epoch === epoch ? last.order : this.#shuffled(rows, `order of epoch ${epoch} of ${name}`)
    this.#shuffles.set(name, { epoch, order })
    return order[n % rows]!
  }

  #shuffled(rows: number, stream: string): readonly number[] {
    return new Random(this.#options.seed, stream).shuffle(Array.from({ length: rows }, (_, index) => index))
  }
}
