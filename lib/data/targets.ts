import { closeSync, openSync, statSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import { fromHalf } from '../util/half.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { publishFile, startFile } from './publish.ts'
import type { Draft } from './publish.ts'
import { isFile, readExactly, withFile } from './read.ts'
import { layoutOf } from './targets/form.ts'
import type { Form } from './targets/form.ts'
import { encodeHeader, readHeader } from './targets/header.ts'
import type { TargetsHeader } from './targets/header.ts'
import { decodeRecords, encodeRecords, recordSize } from './targets/records.ts'
import type { Column, Columns, Given, GivenColumns } from './targets/records.ts'

export interface TargetsWriter {
  /** Appends `count` records. Throws `Failure` TARGETS_RANGE for a value that the file cannot hold. */
  append(columns: GivenColumns, count: number): void
  /** Publishes the file, which must be complete. */
  commit(): void
  /** Leaves nothing; does nothing after `commit`. */
  discard(): void
}

export interface Targets {
  readonly header: TargetsHeader
  /** The columns of `count` records from `start` on, read from the file alone. */
  columns(start: number, count: number): Columns
  /**
   * Hidden states as the file has them, where it has halves: the bits of as many records from `start` on as `into`
   * takes. They go there straight from the file, and nothing looks at them on the way.
   */
  readonly halves?: (start: number, into: Uint16Array) => void
  close(): void
}

/** Who creates a writer commits or discards it. */
export function createTargets(file: string, header: TargetsHeader): TargetsWriter {
  const draft = startFile(file)
  draft.append(encodeHeader(header))
  return writerOf(draft, header, [0, header.count])
}

/** Records of some places of the stream alone, from `start` on before `end`, without a header: for `joinTargets`. */
export const createRecords = (
  file: string,
  header: TargetsHeader,
  places: readonly [start: number, end: number],
): TargetsWriter => writerOf(startFile(file), header, places)

function writerOf(draft: Draft, { form }: TargetsHeader, [start, end]: readonly [number, number]): TargetsWriter {
  const layout = layoutOf(form)
  let done = start
  return {
    append: (columns, count) => {
      if (done + count > end) throw new Error(`Internal error: ${count} records after ${done} of ${end}`)
      layout.forEach((column) => checkRange(column, columns[column.name]!, done))
      draft.append(encodeRecords(layout, columns, count))
      done += count
    },
    commit: () => {
      if (done !== end) throw new Error(`Internal error: targets committed after ${done} of ${end} records`)
      draft.commit()
    },
    discard: () => draft.discard(),
  }
}

const COPIED = 2 ** 24

/** A targets file of the records that `createRecords` wrote of all places of the stream, in their order. */
export function joinTargets(file: string, header: TargetsHeader, parts: readonly string[]): void {
  const expected = header.count * recordSize(layoutOf(header.form))
  publishFile(file, (append) => {
    append(encodeHeader(header))
    let left = expected
    for (const part of parts) {
      const size = statSync(part).size
      withFile(part, (fd) => {
        for (let at = 0; at < size; at += COPIED) {
          const bytes = new Uint8Array(Math.min(COPIED, size - at))
          if (!readExactly(fd, bytes, at)) throw new Error(`Internal error: "${part}" was cut short while it was read`)
          append(bytes)
        }
      })
      left -= size
    }
    if (left !== 0) throw new Error(`Internal error: ${expected - left} bytes of records, expected ${expected}`)
  })
}

/** Failures: FILE_MISSING, TARGETS_OLD, TARGETS_INVALID, TARGETS_TRUNCATED. Who opens closes. */
export function openTargets(file: string): Result<Targets, Failure> {
  if (!isFile(file)) return err(new Failure('FILE_MISSING', `There is no file "${file}".`))
  const fd = openSync(file, 'r')
  const found = readHeader(file, fd)
  if (!found.ok) {
    closeSync(fd)
    return found
  }
  const { header, begin } = found.value
  const size = recordSize(layoutOf(header.form))
  const read = (start: number, count: number, into: Uint8Array): void => {
    if (start < 0 || count < 0 || start + count > header.count) {
      throw new Error(`Internal error: records ${start} to ${start + count} of ${header.count}`)
    }
    if (readExactly(fd, into, begin + start * size)) return
    throw new Failure('TARGETS_TRUNCATED', `"${file}" was cut short while it was read.`, { exitCode: 1 })
  }
  return ok({ header, close: () => closeSync(fd), ...readers(header.form, size, read) })
}

function checkRange({ name, dtype, width }: Column, values: Given, start: number): void {
  const limit = dtype === 'F16' ? 65520 : Infinity // what is nearer to it than to 65,504 would be infinite
  const bad = firstUnfit(values, limit)
  if (bad < 0) return
  const at = start + Math.floor(bad / width)
  const what = name === 'hidden' ? 'hidden state' : name
  const holder = dtype === 'F16' ? 'half precision (at most 65,504)' : 'a targets file'
  const [found] = values instanceof Uint16Array ? fromHalf(values.subarray(bad, bad + 1)) : values.subarray(bad)
  const message = `The teacher's ${what} at position ${at} holds ${found}, which ${holder} cannot hold. Its weights may be damaged.`
  throw new Failure('TARGETS_RANGE', message, { exitCode: 1 })
}

/** Loops, for 20 million values a batch: `findIndex` takes seven times as long. Halves are unfit where they are infinite. */
function firstUnfit(values: Given, limit: number): number {
  if (values instanceof Uint16Array) {
    for (let i = 0; i < values.length; i++) if ((values[i]! & 0x7c00) === 0x7c00) return i
  } else {
    for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) < limit)) return i
  }
  return -1
}

type Read = (start: number, count: number, into: Uint8Array) => void

function readers(form: Form, size: number, read: Read): Pick<Targets, 'columns' | 'halves'> {
  const columns: Targets['columns'] = (start, count) => {
    const records = new Uint8Array(count * size)
    read(start, count, records)
    return decodeRecords(layoutOf(form), records)
  }
  if (form.kind !== 'hidden' || form.dtype !== 'F16') return { columns }
  const halves = (start: number, into: Uint16Array): void =>
    read(start, into.length / form.width, new Uint8Array(into.buffer, into.byteOffset, into.byteLength))
  return { columns, halves }
}
