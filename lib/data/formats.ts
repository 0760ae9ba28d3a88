import { copyFileSync } from 'node:fs'
import { extname } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import { readParquet } from './parquet.ts'
import { publishFile } from './publish.ts'
import { longestText, readText } from './read.ts'
import { forms, itemFormats } from './task-forms.ts'
import type { ItemFormat } from './task-forms.ts'

/** What the rows of a `.parquet` or `.jsonl` file hold: a text, or items of a data set. */
export const rowKinds = ['text', ...itemFormats] as const
export type RowKind = (typeof rowKinds)[number]

/**
 * The text of a split: a text file as it is; of `.parquet` and `.jsonl` the rows' "text", each a line, or several, with
 * an end put to those that lack one. WikiText's rows on the hub are lines with their ends, and its blank lines are empty
 * rows. Of items each is a line: the question and its right answer. Throws Failure FILE_…, ROW_INVALID, COLUMN_MISSING,
 * PARQUET_INVALID.
 */
export async function readCorpusText(file: string, kind: RowKind = 'text'): Promise<string> {
  const textOf = kind === 'text' ? ownText : answered(kind)
  switch (extname(file)) {
    case '.parquet':
      return joined(file, await readParquet(file, kind === 'text' ? ['text'] : []), textOf)
    case '.jsonl':
      return joined(file, parseRows(file), textOf)
    default:
      return readText(file)
  }
}

/** Writes items, a JSON object a line: a `.parquet` file's rows with all their columns, any other file as it is. */
export async function writeItems(file: string, to: string): Promise<void> {
  if (extname(file) !== '.parquet') {
    copyFileSync(file, to)
    return
  }
  const rows = await readParquet(file, [])
  const lines = rows.map((row) => `${JSON.stringify(row, plain)}\n`).join('')
  publishFile(to, (append) => append(Buffer.from(lines)))
}

function parseRows(file: string): unknown[] {
  const lines = readText(file).split('\n')
  return lines.flatMap((line, at) => {
    if (line.trim() === '') return []
    try {
      return [JSON.parse(line) as unknown]
    } catch {
      throw new Failure('ROW_INVALID', `Line ${at + 1} of "${file}" is not valid JSON: expected an object a line.`)
    }
  })
}

/** A number of 64 bits comes as a bigint, which JSON has not. */
const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)

/** The text of a row, or what is wrong with it. */
type TextOf = (row: unknown) => { readonly text: string } | string

const ownText: TextOf = (row) => {
  const text = isRecord(row) ? row['text'] : undefined
  if (typeof text === 'string') return { text }
  const found = isRecord(row) && 'text' in row ? JSON.stringify(row['text']) : `keys ${keysOf(row)}`
  return `must have a text as "text", found ${found.slice(0, 80)}`
}

/** The question with its right answer, a line of its own. */
const answered =
  (format: ItemFormat): TextOf =>
  (row) => {
    const line: unknown = JSON.parse(JSON.stringify(row, plain))
    const { read, title } = forms[format]
    const question = isRecord(line) ? read(line, 'plain') : 'it is not a JSON object'
    if (typeof question === 'string') return `is not in ${title}'s form: ${question}`
    const { context, ending } = question.options[question.label]!
    return { text: `${context} ${ending}`.replace(/\s+/g, ' ').trim() }
  }

function joined(file: string, rows: readonly unknown[], textOf: TextOf): string {
  let length = 0
  const lines = rows.map((row, at) => {
    const found = textOf(row)
    if (typeof found === 'string') throw new Failure('ROW_INVALID', `Row ${at + 1} of "${file}" ${found}.`)
    const { text } = found
    length += text.length
    return text.endsWith('\n') ? text : `${text}\n`
  })
  if (length <= longestText) return lines.join('')
  const message = `"${file}" holds ${length} characters; a text of at most ${longestText} can be read. Give a part of it.`
  throw new Failure('FILE_TOO_LARGE', message)
}

const keysOf = (row: unknown): string => (isRecord(row) ? Object.keys(row).join(', ') : JSON.stringify(row))
