import { fstatSync, readSync } from 'node:fs'
import { firstOf } from './compare-json.ts'
import { fromBfloat16, fromHalf } from './half.ts'
import { isRecord } from './json.ts'
import { differs, isNear } from './tolerance.ts'
import type { Compared, Tolerance } from './tolerance.ts'

interface Tensor {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Offsets in the file. */
  readonly begin: number
  readonly end: number
}

/** The header of a safetensors file: its tensors, and its metadata as JSON. */
interface Header {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly metadata: string
}

const FLOATS: Readonly<Record<string, (raw: ArrayBuffer) => Float32Array | Float64Array>> = {
  F64: (raw) => new Float64Array(raw),
  F32: (raw) => new Float32Array(raw),
  F16: (raw) => fromHalf(new Uint16Array(raw)),
  BF16: (raw) => fromBfloat16(new Uint16Array(raw)),
}

/** A whole number of elements of every type. */
const CHUNK = 1 << 20
/** The limit of the reference implementation. */
const LONGEST_HEADER = 100_000_000

/** Undefined where the open file is no safetensors file, or is damaged: then its bytes alone tell. */
export function readTensors(fd: number): Header | undefined {
  const size = fstatSync(fd).size
  const length = size < 8 ? 0 : Number(new DataView(read(fd, 0, 8)).getBigUint64(0, true))
  if (length < 2 || length > Math.min(size - 8, LONGEST_HEADER)) return undefined
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(read(fd, 8, length)))
    if (!isRecord(json)) return undefined
    const { __metadata__: metadata = null, ...entries } = json
    const tensors = Object.entries(entries).map(([name, entry]) => [name, tensorOf(entry, 8 + length, size)] as const)
    return { tensors: new Map(tensors), metadata: JSON.stringify(metadata) }
  } catch {
    return undefined
  }
}

/** Throws where the entry is none, or leaves the file. */
function tensorOf(entry: unknown, start: number, size: number): Tensor {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = entry as { dtype: string; shape: number[]; data_offsets: [number, number] }
  const [begin, end] = [start + offsets[0], start + offsets[1]]
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !(begin >= start && begin <= end && end <= size))
    throw new Error('no tensor')
  return { dtype, shape, begin, end }
}

/** Holds two open safetensors files against each other: floats within the tolerance, all else the same. */
export function compareTensors(
  [expected, inExpected]: readonly [number, Header],
  [found, inFound]: readonly [number, Header],
  tolerance: Tolerance,
): Compared {
  if (inExpected.metadata !== inFound.metadata) return differs('its metadata', inExpected.metadata, inFound.metadata)
  const names = [...new Set([...inExpected.tensors.keys(), ...inFound.tensors.keys()])].sort()
  return firstOf(
    names.map((name) => (): Compared => {
      const [a, b] = [inExpected.tensors.get(name), inFound.tensors.get(name)]
      const [kindA, kindB] = [kindOf(a), kindOf(b)]
      if (a === undefined || b === undefined || kindA !== kindB) return differs(`tensor "${name}"`, kindA, kindB)
      return compareTensor(name, [expected, a], [found, b], tolerance)
    }),
  )
}

const kindOf = (tensor: Tensor | undefined): string =>
  tensor === undefined ? 'none' : `${tensor.dtype} [${tensor.shape.join(', ')}], ${tensor.end - tensor.begin} bytes`

/** Chunk by chunk, so that a file of any size fits. */
function compareTensor(
  name: string,
  [expected, a]: readonly [number, Tensor],
  [found, b]: readonly [number, Tensor],
  tolerance: Tolerance,
): Compared {
  const decode = FLOATS[a.dtype]
  const size = a.end - a.begin
  let largest = 0
  for (let at = 0; at < size; at += CHUNK) {
    const length = Math.min(CHUNK, size - at)
    const [x, y] = [read(expected, a.begin + at, length), read(found, b.begin + at, length)]
    if (Buffer.from(x).equals(Buffer.from(y))) continue
    if (decode === undefined) return differs(`tensor "${name}"`, `${a.dtype} as recorded`, 'other values')
    const [values, others] = [decode(x), decode(y)]
    for (let i = 0; i < values.length; i++) {
      const [want, is] = [values[i]!, others[i]!]
      if (!isNear(is, want, tolerance)) {
        const element = at / (length / values.length) + i
        return differs(`tensor "${name}" [${indices(element, a.shape).join(', ')}]`, String(want), String(is))
      }
      if (is !== want && want === want) largest = Math.max(largest, Math.abs(is - want))
    }
  }
  return { within: true, largest }
}

/** Row-major. */
function indices(element: number, shape: readonly number[]): number[] {
  const found: number[] = []
  for (const length of shape.toReversed()) {
    found.unshift(element % length)
    element = Math.floor(element / length)
  }
  return found
}

function read(fd: number, position: number, length: number): ArrayBuffer {
  const raw = new ArrayBuffer(length)
  for (let done = 0; done < length;) {
    const count = readSync(fd, new Uint8Array(raw, done), 0, length - done, position + done)
    if (count === 0) throw new Error('the file ends before')
    done += count
  }
  return raw
}
