import { Failure } from '../util/failure.ts'

/**
 * How a stream is cut into rows: row r holds the tokens from `r · stride` on, at most `context` of them, each to
 * predict its successor, so that a row's last target is the next row's first token when `stride` equals `context`.
 */
export interface Packing {
  readonly context: number
  readonly stride: number
}

/** Row of a packed stream: inputs `ids[start … start + length)`, targets `ids[start + 1 … start + length]`. */
export interface Window {
  readonly start: number
  readonly length: number
  /**
   * The inputs before this offset were inputs of an earlier row: count their targets once, by skipping them here.
   * 0 in every row when `stride` equals `context`.
   */
  readonly fresh: number
}

/**
 * The rows that cover a stream of `length` tokens: each token but the first is a fresh target exactly once. Teacher and
 * student share them: row p of a targets file is the hidden state at stream position p, seen in the row where p is fresh.
 * Throws `Failure` PACKING_INVALID.
 */
export function windows(length: number, { context, stride }: Packing): Window[] {
  if (!isPositive(context) || !isPositive(stride) || stride > context) {
    const message = `A packing needs whole numbers with 1 ≤ stride ≤ context; found stride ${stride}, context ${context}.`
    throw new Failure('PACKING_INVALID', message)
  }
  const rows: Window[] = []
  for (let start = 0, covered = 0; covered < length - 1; start += stride) {
    const end = Math.min(start + context, length - 1)
    rows.push({ start, length: end - start, fresh: covered - start })
    covered = end
  }
  return rows
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}
