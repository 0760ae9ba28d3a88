import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A GPU as this process is to name it, and as every process on the host does. */
export interface Gpu {
  readonly id: string
  readonly name: string
}

/**
 * Names of GPUs that mean the same in every process: a scheduler may hide the others of a host, so that "0" is another
 * card in each of its jobs. The driver's UUIDs, or the ids as they are where `nvidia-smi` does not tell them.
 */
export async function gpuNames(ids: readonly string[]): Promise<Gpu[]> {
  const known = await (uuids ??= askDriver())
  return ids.map((id) => ({ id, name: known.get(id) ?? longName(id, [...known.values()]) }))
}

let uuids: Promise<ReadonlyMap<string, string>> | undefined

/** CUDA takes the beginning of a UUID for the whole. */
const longName = (id: string, names: readonly string[]): string =>
  names.find((name) => /^(GPU|MIG)-/.test(id) && name.startsWith(id)) ?? id

async function askDriver(): Promise<ReadonlyMap<string, string>> {
  try {
    const ask = ['--query-gpu=index,uuid', '--format=csv,noheader']
    const { stdout } = await promisify(execFile)('nvidia-smi', ask, { timeout: 20_000 })
    return new Map([...stdout.matchAll(/^(\d+), *(\S+)$/gm)].map(([, index, uuid]) => [index!, uuid!]))
  } catch {
    return new Map()
  }
}
