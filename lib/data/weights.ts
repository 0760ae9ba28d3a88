import { basename } from 'node:path'
import { checkpointOf } from './checkpoint.ts'
import type { Checkpoint, StoredTensor } from './checkpoint.ts'
import { readSafetensors } from './safetensors.ts'
import { readTorch } from './torch/index.ts'
import { badIndex, isIndex, readIndex, weightFiles } from './weight-files.ts'

/**
 * Opens the weights of a model folder, in one file or in the shards that an index names: those of safetensors, and
 * where there are none, those of `torch.save`. Reads no values.
 * Throws `Failure` FILE_MISSING, FILE_NOT_JSON, WEIGHTS_INDEX, SAFETENSORS_…, TORCH_…, PICKLE_….
 */
export async function readWeights(folder: string): Promise<Checkpoint> {
  const [first = '', ...shards] = weightFiles(folder)
  const read = basename(first).startsWith('model.safetensors') ? readSafe : readTorch
  if (!isIndex(first)) return read(first)
  const files = new Map<string, Checkpoint>()
  for (const shard of shards) files.set(shard, await read(shard))
  return joined(first, files)
}

function readSafe(file: string): Checkpoint {
  const read = readSafetensors(file)
  if (!read.ok) throw read.error
  return read.value
}

function joined(index: string, shards: ReadonlyMap<string, Checkpoint>): Checkpoint {
  const wanted = readIndex(index)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, file] of wanted) {
    const shard = shards.get(file)
    if (!shard?.has(name))
      throw badIndex(index, `it places tensor "${name}" in "${basename(file)}", which does not have it`)
    tensors.set(name, shard.tensor(name))
  }
  for (const [file, { names }] of shards) {
    const stray = names.find((name) => !wanted.has(name))
    if (stray !== undefined)
      throw badIndex(index, `"${basename(file)}" holds tensor "${stray}", which it does not list`)
  }
  return checkpointOf(index, tensors, new Map([...shards.values()].flatMap(({ metadata }) => [...metadata])))
}
