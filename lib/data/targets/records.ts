import { fromHalf, toHalf } from '../../util/half.ts'

/** How a record holds a column, little-endian. I8: a float32, the scale, and for each value its nearest multiple. */
type ColumnType = 'F32' | 'F16' | 'I8' | 'U16' | 'U32'

export interface Column {
  readonly name: string
  readonly dtype: ColumnType
  /** Values in a record. */
  readonly width: number
}

/** Values by column, those of one record after another. */
export type Columns = Readonly<Record<string, Float32Array | Int32Array>>
/** The same to be written: those of F16 may be halves already. */
export type GivenColumns = Readonly<Record<string, Given>>
export type Given = Float32Array | Int32Array | Uint16Array

interface Codec {
  /** Bytes of `width` values. */
  readonly size: (width: number) => number
  readonly encode: (values: Given, width: number) => Uint8Array
  readonly decode: (bytes: Uint8Array<ArrayBuffer>, width: number) => Columns[string]
}

export const recordSize = (layout: readonly Column[]): number =>
  layout.reduce((sum, { dtype, width }) => sum + codecs[dtype].size(width), 0)

/** `count` records, one after another. The values must be finite in their column's type. */
export function encodeRecords(layout: readonly Column[], columns: GivenColumns, count: number): Uint8Array {
  const packed = layout.map(({ name, dtype, width }) => {
    const values = columns[name]
    if (values?.length !== count * width) {
      throw new Error(`Internal error: column "${name}" has ${values?.length} values for ${count} records of ${width}`)
    }
    return codecs[dtype].encode(values, width)
  })
  if (packed.length === 1) return packed[0]!
  const size = recordSize(layout)
  const records = new Uint8Array(count * size)
  let offset = 0
  for (const [i, { dtype, width }] of layout.entries()) {
    const part = codecs[dtype].size(width)
    for (let n = 0; n < count; n++) records.set(packed[i]!.subarray(n * part, (n + 1) * part), n * size + offset)
    offset += part
  }
  return records
}

export function decodeRecords(layout: readonly Column[], records: Uint8Array): Columns {
  const size = recordSize(layout)
  const count = records.length / size
  const columns: Record<string, Columns[string]> = {}
  let offset = 0
  for (const { name, dtype, width } of layout) {
    const part = codecs[dtype].size(width)
    const packed = new Uint8Array(count * part)
    for (let n = 0; n < count; n++) {
      packed.set(records.subarray(n * size + offset, n * size + offset + part), n * part)
    }
    columns[name] = codecs[dtype].decode(packed, width)
    offset += part
  }
  return columns
}

const codecs: Readonly<Record<ColumnType, Codec>> = {
  F32: {
    size: (width) => 4 * width,
    encode: (values) => bytesOf(asFloats(values)),
    decode: (bytes) => new Float32Array(bytes.buffer),
  },
  F16: {
    size: (width) => 2 * width,
    encode: (values) => bytesOf(values instanceof Uint16Array ? values : toHalf(asFloats(values))),
    decode: (bytes) => fromHalf(new Uint16Array(bytes.buffer)),
  },
  I8: { size: (width) => 4 + width, encode: encodeScaled, decode: decodeScaled },
  U16: {
    size: (width) => 2 * width,
    encode: (values) => bytesOf(new Uint16Array(values)),
    decode: (bytes) => new Int32Array(new Uint16Array(bytes.buffer)),
  },
  U32: {
    size: (width) => 4 * width,
    encode: (values) => bytesOf(new Uint32Array(values)),
    decode: (bytes) => new Int32Array(bytes.buffer),
  },
}

/** The scale is a record's largest magnitude over 127. */
function encodeScaled(values: Given, width: number): Uint8Array {
  const bytes = new Uint8Array((values.length / width) * (4 + width))
  const view = new DataView(bytes.buffer)
  for (let from = 0, at = 0; from < values.length; from += width, at += 4 + width) {
    const row = values.subarray(from, from + width)
    let largest = 0
    for (const value of row) largest = Math.max(largest, Math.abs(value))
    const scale = Math.fround(largest / 127)
    view.setFloat32(at, scale, true)
    row.forEach((value, i) => view.setInt8(at + 4 + i, scale === 0 ? 0 : Math.round(value / scale)))
  }
  return bytes
}

function decodeScaled(bytes: Uint8Array<ArrayBuffer>, width: number): Float32Array {
  const values = new Float32Array((bytes.length / (4 + width)) * width)
  const view = new DataView(bytes.buffer)
  for (let to = 0, at = 0; to < values.length; to += width, at += 4 + width) {
    const scale = view.getFloat32(at, true)
    for (let i = 0; i < width; i++) values[to + i] = scale * view.getInt8(at + 4 + i)
  }
  return values
}

const asFloats = (values: Given): Float32Array => (values instanceof Float32Array ? values : new Float32Array(values))

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)
