import { publishFile } from '../../data/publish.ts'

/** A value of the file's metadata, by its type there. */
export type GgufValue =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly int32s: readonly number[] }

export interface GgufTensor {
  readonly name: string
  /** Row-major, as everywhere here; the file lists the lengths from the last to the first. */
  readonly shape: readonly number[]
  /** Asked for once, when it is written. */
  readonly data: () => Float32Array
}

/** Of the file's numbers for types (gguf.md): those used here. */
const types = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const
const F32 = 0
const VERSION = 3
const ALIGNMENT = 32

/**
 * Writes a GGUF file of float32 tensors: version 3, little-endian
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Throws Failure DISK_FULL, WRITE_FAILED.
 */
export function writeGguf(
  file: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): void {
  const head = padded(header(metadata, tensors))
  publishFile(file, (append) => {
    append(head)
    for (const { data } of tensors) append(padded(bytesOf(data())))
  })
}

function header(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Uint8Array {
  const values = Object.entries(metadata)
  const parts = [Buffer.from('GGUF'), u32(VERSION), u64(tensors.length), u64(values.length)]
  for (const [key, value] of values) parts.push(text(key), encode(value))
  let offset = 0
  for (const { name, shape } of tensors) {
    parts.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(F32), u64(offset))
    offset += aligned(4 * shape.reduce((size, length) => size * length, 1))
  }
  return Buffer.concat(parts)
}

function encode(value: GgufValue): Buffer {
  if ('uint32' in value) return Buffer.concat([u32(types.uint32), u32(value.uint32)])
  if ('float32' in value) return Buffer.concat([u32(types.float32), bytesOf(Float32Array.of(value.float32))])
  if ('bool' in value) return Buffer.concat([u32(types.bool), Buffer.of(Number(value.bool))])
  if ('string' in value) return Buffer.concat([u32(types.string), text(value.string)])
  if ('strings' in value) return list(types.string, value.strings.map(text))
  return list(types.int32, value.int32s.map(i32))
}

const list = (type: number, items: readonly Buffer[]): Buffer =>
  Buffer.concat([u32(types.array), u32(type), u64(items.length), ...items])

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

const bytesOf = (data: Float32Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength)

const aligned = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT

function padded(bytes: Uint8Array): Uint8Array {
  const length = aligned(bytes.length)
  return length === bytes.length ? bytes : Buffer.concat([bytes], length)
}
