import { basename, dirname, join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import { isFile, readJson } from './read.ts'

/** The files that a model's weights may begin with, in the order in which they are chosen. */
export const weightNames = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
]

/**
 * The files that hold a model's weights, their index first, then the shards in order; for digests and copies.
 * Throws `Failure` FILE_MISSING, FILE_NOT_JSON, WEIGHTS_INDEX.
 */
export function weightFiles(folder: string): string[] {
  const name = weightNames.find((one) => isFile(join(folder, one)))
  if (name === undefined) {
    const names = weightNames.map((one) => `"${one}"`).join(', ')
    const message = `There are no weights in "${folder}": it has none of ${names}. Weights in another form have to be converted first.`
    throw new Failure('FILE_MISSING', message)
  }
  const file = join(folder, name)
  return isIndex(file) ? [file, ...[...new Set(readIndex(file).values())].sort()] : [file]
}

export const isIndex = (file: string): boolean => file.endsWith('.index.json')

/** Tensor name to the path of its shard. Throws `Failure` FILE_NOT_JSON, WEIGHTS_INDEX. */
export function readIndex(index: string): Map<string, string> {
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

export function badIndex(index: string, what: string): Failure {
  return new Failure('WEIGHTS_INDEX', `"${index}" does not fit its shards: ${what}. Get the model anew.`)
}
