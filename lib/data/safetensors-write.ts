import { Failure } from '../util/failure.ts'
import { toHalf } from '../util/half.ts'
import { publishFile } from './publish.ts'

export interface TensorData {
  /** Row-major. Integers are written as I32 whatever `dtype` says. */
  readonly data: Float32Array | Int32Array
  readonly shape: readonly number[]
}

export interface WriteOptions {
  readonly dtype: 'F32' | 'F16'
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * Writes a safetensors file atomically. Equal tensors and metadata give equal bytes, in whatever order they come.
 * Throws `Failure` SAFETENSORS_F16_RANGE for a finite value that half precision cannot hold, DISK_FULL, WRITE_FAILED.
 */
export function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, TensorData>,
  { dtype, metadata = {} }: WriteOptions,
): void {
  const names = [...tensors.keys()].sort()
  for (const name of names) checkShape(name, tensors.get(name)!)
  publishFile(file, (append) => {
    append(header(names, tensors, dtype, metadata))
    for (const name of names) {
      for (const part of parts(tensors.get(name)!.data)) append(encode(name, part, dtype))
    }
  })
}

/** `format: pt` is what transformers asks for when it loads a file. */
function header(
  names: readonly string[],
  tensors: ReadonlyMap<string, TensorData>,
  dtype: 'F32' | 'F16',
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const sorted = Object.entries({ format: 'pt', ...metadata }).sort(([a], [b]) => (a < b ? -1 : 1))
  let offset = 0
  const fields = names.map((name): [string, unknown] => {
    const { data, shape } = tensors.get(name)!
    const half = dtype === 'F16' && data instanceof Float32Array
    const begin = offset
    offset += data.length * (half ? 2 : 4)
    return [name, { dtype: data instanceof Float32Array ? dtype : 'I32', shape, data_offsets: [begin, offset] }]
  })
  const json = JSON.stringify(Object.fromEntries([['__metadata__', Object.fromEntries(sorted)], ...fields]))
  const text = new TextEncoder().encode(json)
  const bytes = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true)
  bytes.set(text, 8)
  return bytes
}

function checkShape(name: string, { data, shape }: TensorData): void {
  const length = shape.reduce((product, one) => product * one, 1)
  if (length !== data.length) {
    throw new Error(`Internal error: tensor "${name}" [${shape.join(', ')}] has ${data.length} values`)
  }
}

/** Conversion in parts keeps a second copy of a large tensor out of memory. */
function* parts<T extends Float32Array | Int32Array>(data: T): Generator<T> {
  const length = 1 << 20
  for (let start = 0; start < data.length; start += length) yield data.subarray(start, start + length) as T
}

function encode(name: string, part: Float32Array | Int32Array, dtype: 'F32' | 'F16'): Uint8Array {
  if (dtype === 'F32' || part instanceof Int32Array) {
    return new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  }
  const half = toHalf(part)
  for (let i = 0; i < half.length; i++) {
    if ((half[i]! & 0x7fff) !== 0x7c00 || !Number.isFinite(part[i])) continue
    const message = `Tensor "${name}" holds ${part[i]}, which half precision (at most 65,504) cannot hold. Write it as F32.`
    throw new Failure('SAFETENSORS_F16_RANGE', message)
  }
  return new Uint8Array(half.buffer)
}
