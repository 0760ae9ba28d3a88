import { fstatSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { Dtype } from './dtype.ts'
import { dtypes, isDtype } from './dtype.ts'
import { isFile, readExactly, withFile } from './read.ts'

/** Where a tensor lies in its file: `begin` and `end` are offsets from the start of the file. */
export interface Entry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

export interface Header {
  readonly entries: readonly Entry[]
  readonly metadata: ReadonlyMap<string, string>
}

/** The limit of the reference implementation. */
const longestHeader = 100_000_000

/**
 * Reads and checks the header of a safetensors file (https://github.com/huggingface/safetensors#format): u64 length,
 * JSON, and tensors that cover the rest of the file without hole or overlap.
 * Throws `Failure` FILE_MISSING or SAFETENSORS_….
 */
export function readHeader(file: string): Header {
  if (!isFile(file)) throw new Failure('FILE_MISSING', `There is no file "${file}".`)
  return withFile(file, (fd) => {
    const size = fstatSync(fd).size
    const prefix = new Uint8Array(8)
    if (!readExactly(fd, prefix, 0)) throw truncated(file, 8, size)
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true))
    if (length > longestHeader) {
      throw invalid(file, `its header would be ${length} bytes long; at most ${longestHeader} are allowed`)
    }
    const text = new Uint8Array(length)
    if (!readExactly(fd, text, 8)) throw truncated(file, 8 + length, size)
    return parseHeader(file, text, 8 + length, size)
  })
}

function parseHeader(file: string, bytes: Uint8Array, start: number, size: number): Header {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw invalid(file, 'its header is not valid JSON')
  }
  if (!isRecord(json)) throw invalid(file, 'its header is not a JSON object')
  const entries: Entry[] = []
  let metadata = new Map<string, string>()
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(file, value)
    else entries.push(parseEntry(file, name, value, start))
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  checkLayout(file, entries, start, size)
  return { entries, metadata }
}

function parseMetadata(file: string, value: unknown): Map<string, string> {
  const pairs = isRecord(value) ? Object.entries(value) : []
  const strings = pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  if (!isRecord(value) || strings.length < pairs.length) {
    throw invalid(file, 'its "__metadata__" is not a map from string to string')
  }
  return new Map(strings)
}

function parseEntry(file: string, name: string, value: unknown, start: number): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {}
  if (!isDtype(dtype)) {
    const known = Object.keys(dtypes).join(', ')
    throw invalid(file, `tensor "${name}" has dtype ${JSON.stringify(dtype)}, expected one of ${known}`)
  }
  if (!isCounts(shape)) throw invalid(file, `tensor "${name}" has shape ${JSON.stringify(shape)}`)
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw invalid(file, `tensor "${name}" has data_offsets ${JSON.stringify(offsets)}`)
  }
  const [begin, end] = offsets as [number, number]
  const expected = shape.reduce((product, length) => product * length, dtypes[dtype].bytes)
  if (end - begin !== expected) {
    const claim = `tensor "${name}" (${dtype} [${shape.join(', ')}]) needs ${expected} bytes, but its data_offsets span ${end - begin}`
    throw invalid(file, claim)
  }
  return { name, dtype, shape, begin: start + begin, end: start + end }
}

/** Every byte after the header belongs to exactly one tensor. */
function checkLayout(file: string, entries: readonly Entry[], start: number, size: number): void {
  let covered = start
  let previous = 'the header'
  for (const { name, begin, end } of entries) {
    if (begin < covered) {
      const message = `"${file}" is refused: tensor "${name}" overlaps ${previous} by ${covered - begin} bytes. The file is damaged or made to mislead; get it anew.`
      throw new Failure('SAFETENSORS_OVERLAP', message)
    }
    if (begin > covered) throw hole(file, `between ${previous} and tensor "${name}"`, begin - covered)
    covered = end
    previous = `tensor "${name}"`
  }
  if (covered > size) throw truncated(file, covered, size, previous)
  if (covered < size) throw hole(file, `after ${previous}`, size - covered)
}

function hole(file: string, where: string, bytes: number): Failure {
  const message = `"${file}" is refused: ${bytes} bytes ${where} belong to no tensor. The file is damaged; get it anew.`
  return new Failure('SAFETENSORS_HOLE', message)
}

export function truncated(file: string, expected: number, found: number, last = 'the header'): Failure {
  const message = `"${file}" is cut short: ${last} ends at byte ${expected}, but the file has ${found} bytes. Get it anew.`
  return new Failure('SAFETENSORS_TRUNCATED', message)
}

function invalid(file: string, what: string): Failure {
  return new Failure('SAFETENSORS_INVALID', `"${file}" is not a valid safetensors file: ${what}.`)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0)
}
