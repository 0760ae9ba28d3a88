import { fstatSync } from 'node:fs'
import { Failure } from '../../util/failure.ts'
import { isRecord } from '../../util/json.ts'
import type { Result } from '../../util/result.ts'
import { err, ok } from '../../util/result.ts'
import { readExactly } from '../read.ts'
import { attends } from '../windows.ts'
import type { Attend, Packing } from '../windows.ts'
import { layoutOf, parseForm } from './form.ts'
import type { Form } from './form.ts'
import { recordSize } from './records.ts'

/**
 * A targets file: what the teacher says at every position of a token stream that has a successor.
 *
 *     bytes 0–7      "TARGETS2"
 *     bytes 8–11     u32, little-endian: length of the JSON that follows
 *     bytes 12–…     JSON of `TargetsHeader` and, for other readers, the form's `columns` (name, dtype, width), padded
 *                    with spaces so that the records begin at a multiple of 64
 *     then           `count` records of one size: the columns in their order; record p is stream position p
 */
export interface TargetsHeader {
  /** Digest of the teacher. */
  readonly model: string
  readonly tokenizer: string
  /** Digest of the split that was read. */
  readonly stream: string
  readonly packing: Packing
  /** What each token saw; left out of the file where it is the row. */
  readonly attend: Attend
  /** Records: the stream's length − 1. */
  readonly count: number
  readonly form: Form
}

const magic = 'TARGETS2'
/** What began with this knew hidden states alone. */
const olderMagic = 'HIDDEN01'
const finest = 64

export function encodeHeader(header: TargetsHeader): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(ordered(header)))
  const length = Math.ceil((12 + json.length) / finest) * finest
  const bytes = new Uint8Array(length).fill(0x20)
  bytes.set(new TextEncoder().encode(magic))
  new DataView(bytes.buffer).setUint32(8, length - 12, true)
  bytes.set(json, 12)
  return bytes
}

const ordered = ({ model, tokenizer, stream, packing, attend, count, form }: TargetsHeader): object => ({
  ...{ model, tokenizer, stream, packing: { context: packing.context, stride: packing.stride } },
  ...(attend === 'row' ? {} : { attend }),
  ...{ count, form, columns: layoutOf(form) },
})

/** The header and where the records begin. Failures: TARGETS_OLD, TARGETS_INVALID, TARGETS_TRUNCATED. */
export function readHeader(file: string, fd: number): Result<{ header: TargetsHeader; begin: number }, Failure> {
  const invalid = (what: string) =>
    err(new Failure('TARGETS_INVALID', `"${file}" is not a targets file: ${what}. Make it anew.`))
  const prefix = Buffer.alloc(12)
  if (!readExactly(fd, prefix, 0)) return invalid('it is shorter than a header')
  const start = prefix.toString('latin1', 0, 8)
  if (start === olderMagic) return err(older(file))
  if (start !== magic) return invalid(`it does not begin with "${magic}"`)
  const length = prefix.readUInt32LE(8)
  if (length > 1 << 20) return invalid(`its header would be ${length} bytes long`)
  const text = Buffer.alloc(length)
  if (!readExactly(fd, text, 12)) return invalid('its header is cut short')
  const header = parseHeader(text.toString('utf8'))
  if (!header) return invalid('its header is not as expected')
  const [begin, size] = [12 + length, recordSize(layoutOf(header.form))]
  const [found, expected] = [fstatSync(fd).size, begin + header.count * size]
  if (found === expected) return ok({ header, begin })
  const message = `"${file}" is damaged: ${header.count} records of ${size} bytes need ${expected} bytes, found ${found}. Make it anew.`
  return err(new Failure('TARGETS_TRUNCATED', message, { exitCode: 1 }))
}

function older(file: string): Failure {
  const message = `"${file}" is a targets file of an earlier format ("${olderMagic}", expected "${magic}"). Run the stage \`teacher-logits\` again: it makes it anew.`
  return new Failure('TARGETS_OLD', message)
}

function parseHeader(text: string): TargetsHeader | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(json) || !isRecord(json['packing'])) return undefined
  const form = parseForm(json['form'])
  if (!form || JSON.stringify(json['columns']) !== JSON.stringify(layoutOf(form))) return undefined
  const { model, tokenizer, stream, count } = json
  const { context, stride } = json['packing']
  const attend = attends.find((one) => one === (json['attend'] ?? 'row'))
  if (!attend) return undefined
  if (typeof model !== 'string' || typeof tokenizer !== 'string' || typeof stream !== 'string') return undefined
  const sizes = [count, context, stride]
  if (!sizes.every((one): one is number => Number.isSafeInteger(one) && (one as number) > 0)) return undefined
  const [c, x, s] = sizes as [number, number, number]
  return { model, tokenizer, stream, packing: { context: x, stride: s }, attend, count: c, form }
}
