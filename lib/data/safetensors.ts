import { basename, dirname, join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import type { Dtype } from './dtype.ts'
import { dtypes } from './dtype.ts'
import type { Entry } from './safetensors-header.ts'
import { readHeader, truncated } from './safetensors-header.ts'
import { isFile, isFolder, readExactly, readJson, withFile } from './read.ts'

/** A tensor in a file; nothing of it is in memory until one of its functions is called, and nothing is kept. */
export interface StoredTensor {
  readonly shape: readonly number[]
  readonly dtype: Dtype
  /** Its values, row-major, as float32: F64 and integers beyond 2²⁴ are rounded. Throws SAFETENSORS_TRUNCATED. */
  data(): Float32Array
  /** Its bytes as they are in the file, little-endian. Throws SAFETENSORS_TRUNCATED. */
  bytes(): Uint8Array
}

export interface Checkpoint {
  /** In order of code units. */
  readonly names: readonly string[]
  readonly metadata: ReadonlyMap<string, string>
  has(name: string): boolean
  /** Throws `Failure` SAFETENSORS_NO_TENSOR. */
  tensor(name: string): StoredTensor
}

/**
 * Opens a safetensors file, or the model folder that holds one: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` names. Reads headers alone.
 * Failures: FILE_MISSING, FILE_NOT_JSON, SAFETENSORS_INVALID, _TRUNCATED, _OVERLAP, _HOLE, _INDEX.
 */
export function readSafetensors(path: string): Result<Checkpoint, Failure> {
  try {
    return ok(open(path))
  } catch (error) {
    if (error instanceof Failure) return err(error)
    throw error
  }
}

/** The files that hold a model's weights, its index included, in order; for digests and copies. Throws `Failure`. */
export function weightFiles(folder: string): string[] {
  const single = join(folder, 'model.safetensors')
  if (isFile(single)) return [single]
  const index = `${single}.index.json`
  if (!isFile(index)) {
    const message = `There is neither "model.safetensors" nor "model.safetensors.index.json" in "${folder}". Weights in another form (pytorch_model.bin) have to be converted first.`
    throw new Failure('FILE_MISSING', message)
  }
  return [index, ...[...new Set(readIndex(index).values())].sort()]
}

function open(path: string): Checkpoint {
  if (!isFolder(path)) return checkpoint(path, readFileEntries(path))
  const [first = '', ...shards] = weightFiles(path)
  return shards.length === 0 ? checkpoint(first, readFileEntries(first)) : checkpoint(first, readShards(first, shards))
}

interface Located {
  readonly entries: Map<string, Entry & { readonly file: string }>
  readonly metadata: ReadonlyMap<string, string>
}

function readFileEntries(file: string): Located {
  const { entries, metadata } = readHeader(file)
  return { entries: new Map(entries.map((entry) => [entry.name, { ...entry, file }])), metadata }
}

function readShards(index: string, shards: readonly string[]): Located {
  const wanted = readIndex(index)
  const files = new Map(shards.map((file) => [file, readFileEntries(file)]))
  const entries: Located['entries'] = new Map()
  for (const [name, file] of wanted) {
    const entry = files.get(file)?.entries.get(name)
    if (!entry) throw badIndex(index, `it places tensor "${name}" in "${basename(file)}", which does not have it`)
    entries.set(name, entry)
  }
  for (const [file, { entries: held }] of files) {
    const stray = [...held.keys()].find((name) => !wanted.has(name))
    if (stray !== undefined)
      throw badIndex(index, `"${basename(file)}" holds tensor "${stray}", which it does not list`)
  }
  return { entries, metadata: new Map([...files.values()].flatMap(({ metadata }) => [...metadata])) }
}

/** Tensor name to the absolute path of its shard. */
function readIndex(index: string): Map<string, string> {
  const json = readJson(index)
  const map = isRecord(json) ? json['weight_map'] : undefined
  if (!isRecord(map) || Object.keys(map).length === 0) throw badIndex(index, 'it has no "weight_map"')
  return new Map(
    Object.entries(map).map(([name, file]) => {
      // a shard lies beside its index: a path could lead anywhere
      if (typeof file !== 'string' || basename(file) !== file) {
        throw badIndex(index, `tensor "${name}" has ${JSON.stringify(file)} for a file name`)
      }
      return [name, join(dirname(index), file)]
    }),
  )
}

function badIndex(index: string, what: string): Failure {
  return new Failure('SAFETENSORS_INDEX', `"${index}" does not fit its shards: ${what}. Get the model anew.`)
}

function checkpoint(path: string, { entries, metadata }: Located): Checkpoint {
  return {
    names: [...entries.keys()].sort(),
    metadata,
    has: (name) => entries.has(name),
    tensor: (name) => {
      const entry = entries.get(name)
      if (!entry) throw noTensor(path, name, [...entries.keys()])
      return stored(entry, entry.file)
    },
  }
}

function noTensor(path: string, name: string, names: readonly string[]): Failure {
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  const message = `"${path}" has no tensor "${name}"; it has ${names.length} (${some}).`
  return new Failure('SAFETENSORS_NO_TENSOR', message)
}

function stored(entry: Entry, file: string): StoredTensor {
  const read = (): ArrayBuffer => {
    const raw = new ArrayBuffer(entry.end - entry.begin)
    const whole = withFile(file, (fd) => readExactly(fd, new Uint8Array(raw), entry.begin))
    if (!whole) throw truncated(file, entry.end, entry.begin, `tensor "${entry.name}"`)
    return raw
  }
  return {
    shape: entry.shape,
    dtype: entry.dtype,
    data: () => dtypes[entry.dtype].toFloat(read()),
    bytes: () => new Uint8Array(read()),
  }
}
