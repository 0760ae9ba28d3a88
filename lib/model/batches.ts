import type { Split } from '../data/tokens.ts'
import type { Targets } from '../data/targets.ts'
import { layoutOf } from '../data/targets/form.ts'
import { windows } from '../data/windows.ts'
import type { Attend, Packing, Window } from '../data/windows.ts'
import type { Feed, HalfValue, TensorValue } from '../engine/engine.ts'

/** The feeds of some rows of a stream, each padded to T tokens. */
export interface RowFeeds {
  /** (B, T) int32 */
  readonly tokens: TensorValue
  /** (B·T) int32: the token that follows, −1 where there is none or it is another row's. */
  readonly labels: TensorValue
  readonly valid: number
}

export type Stream = Omit<Split, 'digest'>

/** The rows of a stream of `length` tokens, or of as many from its beginning, cut as the stream asks for. */
export const rowsOf = ({ ids, documents, rows }: Stream, packing: Packing, length = ids.length): Window[] =>
  windows(length, packing, rows === 'documents' ? documents.filter((start) => start < length) : undefined)

export class Rows {
  readonly #ids: Split['ids']
  readonly #documents: Split['documents']
  readonly #context: number
  readonly windows: readonly Window[]

  /** The windows are those that the stream asks for unless they are given. */
  constructor(stream: Stream, context: number, windows = rowsOf(stream, { context, stride: context })) {
    this.#ids = stream.ids
    this.#documents = stream.documents
    this.#context = context
    this.windows = windows
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

  /** (B, T) int32: in which document of the stream each token of these rows is, −1 in the padding. */
  documents(indices: readonly number[]): TensorValue {
    const T = this.#context
    const data = new Int32Array(indices.length * T).fill(-1)
    indices.forEach((index, row) => {
      const { start, length } = this.windows[index] ?? { start: 0, length: 0 }
      let document = this.#documents.findLastIndex((begin) => begin <= start)
      for (let t = 0; t < length; t++) {
        while (this.#documents[document + 1]! <= start + t) document++
        data[row * T + t] = document
      }
    })
    return { shape: [indices.length, T], data }
  }

  /** The columns of these rows' targets by name, (B·T, width) each: 0 in the padding. */
  targets(indices: readonly number[], targets: TokenTargets): Record<string, Feed> {
    const { form } = targets.header
    if (form.kind === 'hidden' && targets.halves) return { hidden: this.#halves(indices, form.width, targets.halves) }
    const N = indices.length * this.#context
    const found: Record<string, TensorValue> = {}
    for (const { name, dtype, width } of layoutOf(form)) {
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

  #halves(indices: readonly number[], width: number, read: NonNullable<TokenTargets['halves']>): HalfValue {
    const T = this.#context
    const data = new Uint16Array(indices.length * T * width)
    indices.forEach((index, row) => {
      const window = this.windows[index]
      if (window) read(window.start, data.subarray(row * T * width, (row * T + window.length) * width))
    })
    return { shape: [indices.length * T, width], data }
  }

  /** (B·T, D): what was kept of each token of these rows, 0 in the padding. */
  states(indices: readonly number[], { width: D, rows }: TokenStates): TensorValue {
    const T = this.#context
    const data = new Float32Array(indices.length * T * D)
    indices.forEach((index, row) => {
      const window = this.windows[index]
      if (window) data.set(rows(window.start, window.length), row * T * D)
    })
    return { shape: [indices.length * T, D], data }
  }
}

/** What is fed beside the tokens where these see their documents alone. */
export const documentsOf = (
  rows: Rows,
  indices: readonly number[],
  attend: Attend | undefined,
): { readonly documents?: TensorValue } => (attend === 'document' ? { documents: rows.documents(indices) } : {})

export type TokenTargets = Pick<Targets, 'header' | 'columns' | 'halves'>

/** `width` numbers of each token of a stream. */
export interface TokenStates {
  readonly width: number
  /** (count, width), from this place of the stream on. */
  readonly rows: (start: number, count: number) => Float32Array
}
