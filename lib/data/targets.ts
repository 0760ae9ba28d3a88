import { closeSync, fstatSync, openSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import { fromHalf, toHalf } from '../util/half.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { startFile } from './publish.ts'
import { isFile, readExactly } from './read.ts'
import type { Packing } from './windows.ts'

/**
 * A targets file of the form `hidden`: the teacher's final hidden state (after the last layer norm) at every position
 * of a token stream that has a successor. Its logits at any temperature are this times the teacher's head.
 *
 *     bytes 0–7      "HIDDEN01"
 *     bytes 8–11     u32, little-endian: length of the JSON that follows
 *     bytes 12–…     JSON of `TargetsHeader`, padded with spaces so that the rows begin at a multiple of 64
 *     then           `count` rows of `width` halves (IEEE binary16), little-endian; row p is stream position p
 */
export interface TargetsHeader {
  /** Digest of the teacher. */
  readonly model: string
  readonly tokenizer: string
  /** Digest of the split that was read. */
  readonly stream: string
  readonly packing: Packing
  /** Length of a hidden state. */
  readonly width: number
  /** Rows: the stream's length − 1. */
  readonly count: number
}

/** What a run expects of its targets. */
export type TargetsExpected = Omit<TargetsHeader, 'width'> & { readonly width?: number }

export interface TargetsWriter {
  /** Appends whole rows. Throws `Failure` TARGETS_RANGE for a value that is not finite in half precision. */
  append(rows: Float32Array): void
  /** Publishes the file, which must be complete. */
  commit(): void
  /** Leaves nothing; does nothing after `commit`. */
  discard(): void
}

export interface Targets {
  readonly header: TargetsHeader
  /** [count, width] as float32, read from the file alone. */
  rows(start: number, count: number): Float32Array
  close(): void
}

const magic = 'HIDDEN01'
const finest = 64

/** Who creates a writer commits or discards it. */
export function createTargets(file: string, header: TargetsHeader): TargetsWriter {
  const draft = startFile(file)
  const total = header.count * header.width
  let done = 0
  draft.append(encodeHeader(header))
  return {
    append: (rows) => {
      if (rows.length % header.width !== 0 || done + rows.length > total) {
        throw new Error(`Internal error: ${rows.length} values after ${done} of ${total}, rows of ${header.width}`)
      }
      const half = toHalf(rows)
      checkRange(rows, half, (at) => Math.floor((done + at) / header.width))
      draft.append(new Uint8Array(half.buffer))
      done += rows.length
    },
    commit: () => {
      if (done !== total) throw new Error(`Internal error: targets committed after ${done} of ${total} values`)
      draft.commit()
    },
    discard: () => draft.discard(),
  }
}

/** Failures: FILE_MISSING, TARGETS_INVALID, TARGETS_TRUNCATED. Who opens closes. */
export function openTargets(file: string): Result<Targets, Failure> {
  if (!isFile(file)) return err(new Failure('FILE_MISSING', `There is no file "${file}".`))
  const fd = openSync(file, 'r')
  const found = readTargetsHeader(file, fd)
  if (!found.ok) {
    closeSync(fd)
    return found
  }
  const { header, begin } = found.value
  return ok({ header, close: () => closeSync(fd), rows: rowReader(file, fd, header, begin) })
}

/**
 * Refuses targets that were made from another teacher, tokenizer, stream, packing or context than this run's:
 * TARGETS_MISMATCH, which names every difference.
 */
export function checkTargets(header: TargetsHeader, expected: TargetsExpected): Result<undefined, Failure> {
  const rows: [string, string | number | undefined, string | number][] = [
    ['teacher', expected.model, header.model],
    ['tokenizer', expected.tokenizer, header.tokenizer],
    ['token stream', expected.stream, header.stream],
    ['context', expected.packing.context, header.packing.context],
    ['stride', expected.packing.stride, header.packing.stride],
    ['rows', expected.count, header.count],
    ['width', expected.width, header.width],
  ]
  const wrong = rows.filter(([, want, have]) => want !== undefined && want !== have)
  if (wrong.length === 0) return ok(undefined)
  const list = wrong.map(([what, want, have]) => `${what}: expected ${want}, found ${have}`).join('; ')
  const message = `The teacher's targets belong to another run: ${list}. Make them anew from this teacher, tokenizer and packing.`
  return err(new Failure('TARGETS_MISMATCH', message))
}

function encodeHeader(header: TargetsHeader): Uint8Array {
  const { model, tokenizer, stream, packing, width, count } = header
  const { context, stride } = packing
  const ordered = { model, tokenizer, stream, packing: { context, stride }, dtype: 'F16', width, count }
  const json = new TextEncoder().encode(JSON.stringify(ordered))
  const length = Math.ceil((12 + json.length) / finest) * finest
  const bytes = new Uint8Array(length).fill(0x20)
  bytes.set(new TextEncoder().encode(magic))
  new DataView(bytes.buffer).setUint32(8, length - 12, true)
  bytes.set(json, 12)
  return bytes
}

function checkRange(rows: Float32Array, half: Uint16Array, rowOf: (index: number) => number): void {
  const bad = half.findIndex((bits) => (bits & 0x7c00) === 0x7c00)
  if (bad < 0) return
  const message = `The teacher's hidden state at position ${rowOf(bad)} holds ${rows[bad]}, which half precision (at most 65,504) cannot hold. Its weights may be damaged.`
  throw new Failure('TARGETS_RANGE', message, { exitCode: 1 })
}

function readTargetsHeader(file: string, fd: number): Result<{ header: TargetsHeader; begin: number }, Failure> {
  const invalid = (what: string) =>
    err(new Failure('TARGETS_INVALID', `"${file}" is not a targets file: ${what}. Make it anew.`))
  const prefix = Buffer.alloc(12)
  if (!readExactly(fd, prefix, 0)) return invalid('it is shorter than a header')
  if (prefix.toString('latin1', 0, 8) !== magic) return invalid(`it does not begin with "${magic}"`)
  const length = prefix.readUInt32LE(8)
  if (length > 1 << 20) return invalid(`its header would be ${length} bytes long`)
  const text = Buffer.alloc(length)
  if (!readExactly(fd, text, 12)) return invalid('its header is cut short')
  const header = parseTargetsHeader(text.toString('utf8'))
  if (!header) return invalid('its header is not as expected')
  const begin = 12 + length
  const size = fstatSync(fd).size
  const expected = begin + header.count * header.width * 2
  if (size === expected) return ok({ header, begin })
  const message = `"${file}" is damaged: ${header.count} rows of ${header.width} need ${expected} bytes, found ${size}. Make it anew.`
  return err(new Failure('TARGETS_TRUNCATED', message, { exitCode: 1 }))
}

function parseTargetsHeader(text: string): TargetsHeader | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(json) || json['dtype'] !== 'F16' || !isRecord(json['packing'])) return undefined
  const { model, tokenizer, stream, width, count } = json
  const { context, stride } = json['packing']
  if (typeof model !== 'string' || typeof tokenizer !== 'string' || typeof stream !== 'string') return undefined
  const sizes = [width, count, context, stride]
  if (!sizes.every((one): one is number => Number.isSafeInteger(one) && (one as number) > 0)) return undefined
  const [w, c, x, s] = sizes as [number, number, number, number]
  return { model, tokenizer, stream, packing: { context: x, stride: s }, width: w, count: c }
}

function rowReader(file: string, fd: number, { width, count: all }: TargetsHeader, begin: number): Targets['rows'] {
  return (start, count) => {
    if (start < 0 || count < 0 || start + count > all) {
      throw new Error(`Internal error: rows ${start} to ${start + count} of ${all}`)
    }
    const half = new Uint16Array(count * width)
    if (!readExactly(fd, new Uint8Array(half.buffer), begin + start * width * 2)) {
      throw new Failure('TARGETS_TRUNCATED', `"${file}" was cut short while it was read.`, { exitCode: 1 })
    }
    return fromHalf(half)
  }
}
