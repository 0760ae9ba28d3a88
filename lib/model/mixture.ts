import type { Targets } from '../data/targets.ts'
import type { Split } from '../data/tokens.ts'
import { Rows, rowsOf } from './batches.ts'
import type { TokenTargets } from './batches.ts'
import { Order } from './order.ts'
import type { OrderOptions } from './order.ts'
import type { Schedule } from './schedule.ts'

/** A corpus that is mixed into the text of a training. */
export interface Mixed {
  /** Tells its order from that of others. */
  readonly name: string
  readonly train: Split
  /** Of its rows, how many an epoch of the text takes, as a share. */
  readonly weight: Schedule
  /** What the teacher says of it. */
  readonly targets?: Targets
}

/** The rows of a text, then those of what is mixed in, as if all were one stream. */
export function joinedRows(train: Split, mixed: readonly Mixed[], context: number): Rows {
  const splits = [train, ...mixed.map((one) => one.train)]
  if (mixed.length === 0) return new Rows(train, context)
  const Ids = splits.some(({ ids }) => ids instanceof Uint32Array) ? Uint32Array : Uint16Array
  const ids = new Ids(splits.reduce((sum, one) => sum + one.ids.length, 0))
  const documents: number[] = []
  let begin = 0
  const windows = splits.flatMap((split) => {
    const first = begin
    ids.set(split.ids, first)
    for (const start of split.documents) documents.push(first + start)
    begin += split.ids.length
    return rowsOf(split, { context, stride: context }).map((one) => ({ ...one, start: first + one.start }))
  })
  return new Rows({ ids, documents: Uint32Array.from(documents), rows: 'documents' }, context, windows)
}

/** Of the same stream; all are of one form. */
export function joinedTargets(targets: Targets, length: number, mixed: readonly Mixed[]): TokenTargets {
  const parts = [{ targets, length }, ...mixed.map((one) => ({ targets: one.targets!, length: one.train.ids.length }))]
  // a row lies in one corpus
  const at = (start: number): readonly [Targets, number] => {
    let first = 0
    for (const part of parts) {
      if (start < first + part.length) return [part.targets, start - first]
      first += part.length
    }
    throw new Error(`Internal error: no targets at ${start}`)
  }
  const columns: TokenTargets['columns'] = (start, count) => {
    const [of, from] = at(start)
    return of.columns(from, count)
  }
  const halves = (start: number, into: Uint16Array): void => {
    const [of, from] = at(start)
    of.halves!(from, into)
  }
  return { header: targets.header, columns, ...(targets.halves ? { halves } : {}) }
}

/** The order of the rows of both. */
export function orderOf(
  train: Split,
  mixed: readonly Mixed[],
  { context, ...options }: Omit<OrderOptions, 'mixed'> & { readonly context: number },
): Order {
  const count = (split: Split): number => rowsOf(split, { context, stride: context }).length
  const others = mixed.map(({ name, weight, train: own }) => ({ name, weight, rows: count(own) }))
  return new Order(count(train), { ...options, mixed: others })
}
