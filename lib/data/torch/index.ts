import { checkpointOf, storedTensor } from '../checkpoint.ts'
import type { Checkpoint, StoredTensor } from '../checkpoint.ts'
import { dtypes } from '../dtype.ts'
import { invalid, openArchive, readPart } from './archive.ts'
import type { Archive } from './archive.ts'
import { readStateDict } from './state-dict.ts'
import type { View } from './state-dict.ts'
import { rowMajor, spanOf } from './strided.ts'

/** Of what is read as a whole: a pickle takes some 200 bytes a tensor. */
const largestMember = 1 << 24

/**
 * Opens a state dict that `torch.save` wrote, PyTorch 1.6 or later, and runs nothing of it. Reads the names, shapes and
 * places of its tensors alone; the values of one come straight from where they lie in the file.
 * Throws `Failure` FILE_MISSING, TORCH_LEGACY, TORCH_INVALID, TORCH_TRUNCATED, PICKLE_UNSAFE, PICKLE_INVALID.
 */
export async function readTorch(file: string): Promise<Checkpoint> {
  const archive = await openArchive(file)
  const pickle = readMember(archive, 'data.pkl')
  const order = archive.member('byteorder') ? Buffer.from(readMember(archive, 'byteorder')).toString() : 'little'
  if (order !== 'little') throw invalid(file, 'its byte order is not "little"')
  const views = readStateDict(pickle, file)
  return checkpointOf(file, new Map([...views].map(([name, view]) => [name, stored(archive, name, view)])))
}

function readMember({ file, member }: Archive, name: string): Uint8Array {
  const found = member(name)
  if (!found) throw invalid(file, `it has no ${name}`)
  if (found.size > largestMember)
    throw invalid(file, `its ${name} has ${found.size} bytes, at most ${largestMember} are read`)
  return readPart(file, name, found.begin, found.size)
}

function stored(archive: Archive, name: string, view: View): StoredTensor {
  const { file } = archive
  const { dtype, key, size } = view.storage
  const width = dtypes[dtype].bytes
  const member = archive.member(`data/${key}`)
  if (!member) throw invalid(file, `tensor "${name}" lies in data/${key}, which is not there`)
  if (member.size < size * width) {
    throw invalid(file, `the storage of tensor "${name}" has ${size * width} bytes, data/${key} only ${member.size}`)
  }
  const begin = member.begin + view.offset * width
  return storedTensor(view.shape, dtype, () => {
    const span = readPart(file, `tensor "${name}"`, begin, spanOf(view) * width)
    return rowMajor(span.buffer, width, view)
  })
}
