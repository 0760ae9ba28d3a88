import { choices } from '../util/choices.ts'
import { Failure } from '../util/failure.ts'

/**
 * How a stream is cut into rows: row r holds the tokens from `r · stride` on, at most `context` of them, each to
 * predict its successor, so that a row's last target is the next row's first token when `stride` equals `context`.
 */
export interface Packing {
  readonly context: number
  readonly stride: number
}

/** What a token of a row sees of what is before it: all of it, or that of its document alone. */
export const attends = ['row', 'document'] as const
export type Attend = (typeof attends)[number]

/** As a parameter of every stage that reads a text in rows. */
export const attendProperty = {
  ...choices<Attend>({ row: 'all tokens before it in its row', document: 'those of its own document alone' }),
  default: 'row',
  description: 'what a token sees of what is before it; the same in the pass of the teacher and in training',
} as const

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
 * Where `documents` are given, their starts, rows hold whole ones, as many as fit. Throws `Failure` PACKING_INVALID.
 */
export function windows(length: number, packing: Packing, documents?: Uint32Array): Window[] {
  const { context, stride } = packing
  if (!isPositive(context) || !isPositive(stride) || stride > context) {
    const message = `A packing needs whole numbers with 1 ≤ stride ≤ context; found stride ${stride}, context ${context}.`
    throw new Failure('PACKING_INVALID', message)
  }
  return documents ? wholeDocuments(length, context, documents) : overlapping(length, packing)
}

function overlapping(length: number, { context, stride }: Packing): Window[] {
  const rows: Window[] = []
  for (let start = 0, covered = 0; covered < length - 1; start += stride) {
    const end = Math.min(start + context, length - 1)
    rows.push({ start, length: end - start, fresh: covered - start })
    covered = end
  }
  return rows
}

/** A row never goes on into a document that it cannot hold to its end; a document longer than a row is cut. */
function wholeDocuments(length: number, context: number, documents: Uint32Array): Window[] {
  const last = length - 1 // the stream's last token predicts nothing
  const rows: Window[] = []
  let start = 0
  const end = (at: number): void => {
    if (at > start) rows.push({ start, length: at - start, fresh: 0 })
    start = at
  }
  documents.forEach((begin, n) => {
    const next = Math.min(documents[n + 1] ?? last, last)
    if (next - start > context) end(Math.min(begin, last))
    while (next - start > context) end(start + context)
  })
  end(last)
  return rows
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}
