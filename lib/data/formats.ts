import { copyFileSync } from 'node:fs'
import { extname } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import { readParquet } from './parquet.ts'
import { publishFile } from './publish.ts'
import { longestText, readText } from './read.ts'

/**
 * The text of a split: a text file as it is; of `.parquet` and `.jsonl` the rows' "text", each a line, or several, with
 * an end put to those that lack one. WikiText's rows on the hub are lines with their ends, and its blank lines are empty
 * rows. Throws Failure FILE_…, ROW_INVALID, COLUMN_MISSING, PARQUET_INVALID.
 */
export async function readCorpusText(file: string): Promise<string> {
  switch (extname(file)) {
    case '.parquet':
      return joined(file, await readParquet(file, ['text']))
    case '.jsonl':
      return joined(file, parseRows(file))
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
  // a number of 64 bits comes as a bigint, which JSON has not
  const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
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

function joined(file: string, rows: readonly unknown[]): string {
  let length = 0
  const lines = rows.map((row, at) => {
    const text = isRecord(row) ? row['text'] : undefined
    if (typeof text !== 'string') throw textless(file, at, row)
    length += text.length
    return text.endsWith('\n') ? text : `${text}\n`
  })
  if (length <= longestText) return lines.join('')
  const message = `"${file}" holds ${length} characters; a text of at most ${longestText} can be read. Give a part of it.`
  throw new Failure('FILE_TOO_LARGE', message)
}

function textless(file: string, at: number, row: unknown): Failure {
  const found = isRecord(row) && 'text' in row ? JSON.stringify(row['text']) : `keys ${keysOf(row)}`
  return new Failure(
    'ROW_INVALID',
    `Row ${at + 1} of "${file}" must have a text as "text", found ${found.slice(0, 80)}.`,
  )
}

const keysOf = (row: unknown): string => (isRecord(row) ? Object.keys(row).join(', ') : JSON.stringify(row))
