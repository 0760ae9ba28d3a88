import { Failure } from '../../util/failure.ts'
import type { Dtype } from '../dtype.ts'
import { invalid } from './archive.ts'
import { Known, Persistent } from './machine.ts'
import { readPickle } from './pickle.ts'
import { elementsOf, spanOf } from './strided.ts'
import type { Layout } from './strided.ts'

interface Storage {
  readonly dtype: Dtype
  /** Its name among the members of the archive. */
  readonly key: string
  /** In elements. */
  readonly size: number
}

/** A tensor as a state dict describes it: a view of a storage, which lies elsewhere in the file. */
export interface View extends Layout {
  readonly storage: Storage
}

/**
 * The tensors of a pickled state dict by name. A view lies within what its storage claims to hold, and has no more
 * elements than that. Throws `Failure` PICKLE_UNSAFE, PICKLE_INVALID, TORCH_INVALID.
 */
export function readStateDict(pickle: Uint8Array, file: string): Map<string, View> {
  const dictionary = readPickle(pickle, file, globals)
  if (!(dictionary instanceof Map)) throw noStateDict(file, `it is ${describe(dictionary)}`)
  return new Map(
    [...dictionary].map(([name, value]: [unknown, unknown]) => {
      if (typeof name !== 'string') throw noStateDict(file, `one of its names is ${describe(name)}`)
      if (!(value instanceof Rebuilt)) throw noStateDict(file, `its "${name}" is ${describe(value)}`)
      return [name, parseView(file, name, value.args)]
    }),
  )
}

/** What `torch._utils._rebuild_tensor_v2` would make; its arguments are checked where the tensor's name is known. */
class Rebuilt {
  readonly args: readonly unknown[]
  constructor(args: readonly unknown[]) {
    this.args = args
  }
}

const storages: Readonly<Record<string, Dtype>> = {
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.DoubleStorage': 'F64',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
}

/** Names that torch.save writes for a state dict (torch/_utils.py, torch/storage.py); nothing else is known. */
const globals: ReadonlyMap<string, Known> = new Map(
  [
    new Known('collections.OrderedDict', (args) => (args.length === 0 ? new Map() : undefined)),
    new Known('torch._utils._rebuild_tensor_v2', (args) => new Rebuilt(args)),
    new Known('torch._utils._rebuild_parameter', ([tensor]) => tensor),
    ...Object.keys(storages).map((name) => new Known(name)),
  ].map((known) => [known.name, known]),
)

/**
 * The arguments are storage, offset, shape, strides, requires_grad and backward hooks; a seventh says that the values
 * are conjugated or negated when they are read.
 */
function parseView(file: string, name: string, args: readonly unknown[]): View {
  const [stored, offset, shape, strides] = args
  const storage = parseStorage(stored)
  if (!storage || !isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw invalid(file, `tensor "${name}" is not a storage, an offset, a shape and strides of whole numbers from 0 on`)
  }
  if (args.length > 6) throw invalid(file, `tensor "${name}" is stored with its values changed (conjugated or negated)`)
  const view = { shape, strides, offset, storage }
  const refuse = (how: string): Failure => {
    const claim = `tensor "${name}" of shape [${shape.join(', ')}] and strides [${strides.join(', ')}]`
    return invalid(file, `${claim} ${how} its storage, which has ${storage.size} elements`)
  }
  if (offset + spanOf(view) > storage.size) throw refuse('reaches beyond')
  // an expanded tensor: a few bytes could stand for any amount of memory
  if (elementsOf(view) > storage.size) throw refuse('repeats')
  return view
}

/** A persistent id is ('storage', type, key, device, elements). */
function parseStorage(value: unknown): Storage | undefined {
  const id: unknown[] = value instanceof Persistent && Array.isArray(value.id) ? value.id : []
  const [kind, type, key, , size] = id
  const dtype = type instanceof Known ? storages[type.name] : undefined
  if (kind !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(size)) return undefined
  return { dtype, key, size }
}

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount)

function describe(value: unknown): string {
  if (value instanceof Map) return 'a dictionary'
  if (value instanceof Known) return `the name ${value.name}`
  if (Array.isArray(value)) return 'a tuple'
  return value === null || typeof value === 'object' ? 'no tensor' : `a ${typeof value}`
}

function noStateDict(file: string, what: string): Failure {
  const message = `"${file}" does not hold a state dict, names with a tensor each: ${what}. Save the model's state_dict() alone.`
  return new Failure('TORCH_INVALID', message)
}
