import type { Split } from '../data/tokens.ts'
import type { Targets } from '../data/targets.ts'
import { layoutOf } from '../data/targets/form.ts'
import { windows } from '../data/windows.ts'
import type { Packing, Window } from '../data/windows.ts'
import type { TensorValue } from '../engine/engine.ts'
import { Random } from '../util/random.ts'

/** The feeds of some rows of a stream, each padded to T tokens. */
export interface RowFeeds {
  /** (B, T) int32 */
  readonly tokens: TensorValue
  /** (B·T) int32: the token that follows, −1 where there is none or it is another row's. */
  readonly labels: TensorValue
  readonly valid: number
}

/** The rows of a stream of `length` tokens, or of as many from its beginning, cut as the stream asks for. */
export const rowsOf = ({ ids, documents, rows }: Split, packing: Packing, length = ids.length): Window[] =>
  windows(length, packing, rows === 'documents' ? documents.filter((start) => start < length) : undefined)

export class Rows {
  readonly #ids: Split['ids']
  readonly #context: number
  readonly windows: readonly Window[]

  constructor(split: Split, context: number, stride = context) {
    this.#ids = split.ids
    this.#context = context
    this.windows = rowsOf(split, { context, stride })
  }

  /** The rows of these indices; an index past the end is a row of padding. */
  feeds(indices: readonly number[]): RowFeeds {
    const T = this.#context
    const tokens = new Int32Array(indices.length * T)
    const labels = new Int32Array(indices.length * T).fill(-1)
    let valid = 0
    indices.forEach((index, row) => {
      const window = this.windows[index]
      if (!window) return
      const { start, length, fresh } = window
      for (let t = 0; t < length; t++) tokens[row * T + t] = this.#ids[start + t]!
      for (let t = fresh; t < length; t++) labels[row * T + t] = this.#ids[start + t + 1]!
      valid += length - fresh
    })
    return {
      tokens: { shape: [indices.length, T], data: tokens },
      labels: { shape: [indices.length * T], data: labels },
      valid,
    }
  }

  /** The columns of these rows' targets by name, (B·T, width) each: 0 in the padding. */
  targets(indices: readonly number[], targets: Targets): Record<string, TensorValue> {
    const N = indices.length * this.#context
    const found: Record<string, TensorValue> = {}
    for (const { name, dtype, width } of layoutOf(targets.header.form)) {
      const data = dtype.startsWith('U') ? new Int32Array(N * width) : new Float32Array(N * width)
      found[name] = { shape: [N, width], data }
    }
    indices.forEach((index, row) => {
      const window = this.windows[index]
      if (!window) return
      for (const [name, values] of Object.entries(targets.columns(window.start, window.length))) {
        const { shape, data } = found[name]!
        data.set(values, row * this.#context * shape[1]!)
      }
    })
    return found
  }
}

/**
 * Which rows a step trains on: epochs of all rows, each in an order of its own, one after another. A function of the
 * step alone, so that a resumed run goes on with the very same rows.
 */
export class Order {
  readonly #rows: number
  readonly #batch: number
  readonly #seed: number
  readonly #epochs = new Map<number, readonly number[]>()

  constructor(rows: number, batch: number, seed: number) {
    this.#rows = rows
    this.#batch = batch
    this.#seed = seed
  }

  rowsOf(step: number): number[] {
    return Array.from({ length: this.#batch }, (_, k) => {
      const at = step * this.#batch + k
      return this.#epoch(Math.floor(at / this.#rows))[at % this.#rows]!
    })
  }

  /** Epochs done when `step` begins. */
  epochAt(step: number): number {
    return (step * this.#batch) / this.#rows
  }

  #epoch(number: number): readonly number[] {
    const known = this.#epochs.get(number)
    if (known) return known
    const indices = Array.from({ length: this.#rows }, (_, index) => index)
    const order = new Random(this.#seed, `order of epoch ${number}`).shuffle(indices)
    this.#epochs.delete(number - 2) // a batch reaches over two epochs at most, unless it is larger than one
    this.#epochs.set(number, order)
    return order
  }
}
