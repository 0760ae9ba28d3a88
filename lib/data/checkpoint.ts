import { Failure } from '../util/failure.ts'
import type { Dtype } from './dtype.ts'
import { dtypes } from './dtype.ts'

/** A tensor in a file; nothing of it is in memory until one of its functions is called, and nothing is kept. */
export interface StoredTensor {
  readonly shape: readonly number[]
  readonly dtype: Dtype
  /** Its values, row-major, as float32: F64 and integers beyond 2²⁴ are rounded. Throws `Failure` …_TRUNCATED. */
  data(): Float32Array
  /** Their bits, of F16 alone. Throws `Failure` …_TRUNCATED. */
  readonly halves?: () => Uint16Array
  /** Its bytes, row-major, little-endian. Throws `Failure` …_TRUNCATED. */
  bytes(): Uint8Array
}

export interface Checkpoint {
  /** In order of code units. */
  readonly names: readonly string[]
  readonly metadata: ReadonlyMap<string, string>
  has(name: string): boolean
  /** Throws `Failure` TENSOR_MISSING. */
  tensor(name: string): StoredTensor
}

/** The tensors of the file or folder `path`. */
export function checkpointOf(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Checkpoint {
  return {
    names: [...tensors.keys()].sort(),
    metadata,
    has: (name) => tensors.has(name),
    tensor: (name) => {
      const tensor = tensors.get(name)
      if (!tensor) throw noTensor(path, name, [...tensors.keys()])
      return tensor
    },
  }
}

/** `read` gives its bytes, row-major, in a buffer of their own. */
export function storedTensor(shape: readonly number[], dtype: Dtype, read: () => ArrayBuffer): StoredTensor {
  const halves = dtype === 'F16' ? { halves: () => new Uint16Array(read()) } : {}
  return { shape, dtype, data: () => dtypes[dtype].toFloat(read()), bytes: () => new Uint8Array(read()), ...halves }
}

function noTensor(path: string, name: string, names: readonly string[]): Failure {
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  return new Failure('TENSOR_MISSING', `"${path}" has no tensor "${name}"; it has ${names.length} (${some}).`)
}
