import { Failure } from '../util/failure.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { checkpointOf, storedTensor } from './checkpoint.ts'
import type { Checkpoint, StoredTensor } from './checkpoint.ts'
import type { Entry } from './safetensors-header.ts'
import { readHeader, truncated } from './safetensors-header.ts'
import { readExactly, withFile } from './read.ts'

/**
 * Opens a safetensors file. Reads its header alone.
 * Failures: FILE_MISSING, SAFETENSORS_INVALID, _TRUNCATED, _OVERLAP, _HOLE.
 */
export function readSafetensors(file: string): Result<Checkpoint, Failure> {
  try {
    const { entries, metadata } = readHeader(file)
    return ok(checkpointOf(file, new Map(entries.map((entry) => [entry.name, stored(entry, file)])), metadata))
  } catch (error) {
    if (error instanceof Failure) return err(error)
    throw error
  }
}

function stored({ name, shape, dtype, begin, end }: Entry, file: string): StoredTensor {
  return storedTensor(shape, dtype, () => {
    const raw = new ArrayBuffer(end - begin)
    const whole = withFile(file, (fd) => readExactly(fd, new Uint8Array(raw), begin))
    if (!whole) throw truncated(file, end, begin, `tensor "${name}"`)
    return raw
  })
}
