import type { Targets } from '../data/targets.ts'
import type { SampledForm, TopkForm } from '../data/targets/form.ts'
import type { Feed, Memory, TensorValue } from '../engine/engine.ts'
import { cast, input, state } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import { gptInside, headOf } from './gpt.ts'
import type { Batch, Inside, Weights } from './gpt.ts'
import type { InnerLosses } from './inner.ts'
import type { WholeTeacher } from './losses.ts'
import type { SparseTeacher } from './losses/sparse.ts'
import { loadInto, weightShapes } from './weights.ts'
import type { Model } from './weights.ts'

// N tokens of a micro-batch · B rows · T tokens in a row · D width and W vocabulary of the teacher · S ids a token

/** Who teaches in each step. */
export type Teacher = StoredTeacher | OnlineTeacher

/** Targets of the training split, in rows of the student's context, and what else teaches with them. */
export type StoredTeacher =
  | { readonly shape: HiddenShape; readonly targets: Targets; readonly head: TensorValue }
  | { readonly shape: SparseShape; readonly targets: Targets }

/** Runs in each step, on the step's tokens. */
export interface OnlineTeacher {
  readonly shape: OnlineShape
  readonly model: Model
}

/** What a graph is made for. */
export type TeacherShape = StoredShape | OnlineShape
export type StoredShape = HiddenShape | SparseShape

interface HiddenShape {
  readonly kind: 'hidden'
  /** As what its states are fed; float32 where not given. */
  readonly fed?: 'float16'
  readonly head: readonly [W: number, D: number]
}

export type SparseShape =
  | { readonly kind: 'sampled'; readonly ids: number }
  | { readonly kind: 'topk'; readonly ids: number; readonly temperatures: readonly number[]; readonly others: Others }

/**
 * What the student learns of the tokens that top-k targets do not name: `bucket`, that they have the tail's probability
 * together, however it is spread; `renormalise`, nothing: both distributions are those among the named. Both are biased.
 */
export type Others = 'bucket' | 'renormalise'

interface OnlineShape {
  readonly kind: 'online'
  readonly config: GptConfig
  readonly inner: InnerLosses
}

export const sparseShape = (form: SampledForm | TopkForm, others: Others): SparseShape =>
  form.kind === 'sampled'
    ? { kind: 'sampled', ids: form.samples }
    : { kind: 'topk', ids: form.k, temperatures: form.temperatures, others }

/** The head of a teacher with hidden states, in memory. */
export const teacherHeadName = 'teacher.head'
/** The weights of one who runs in each step, in memory beside a student's of the same names. */
const nameOf = (weight: string): string => `teacher/${weight}`

/** Puts into memory what graphs keep of a teacher there. */
export function loadTeacher(memory: Memory, teacher: Teacher): void {
  if ('head' in teacher) memory.write(teacherHeadName, teacher.head)
  if (!('model' in teacher)) return
  loadInto(memory, new Map([...teacher.model.weights].map(([name, value]) => [nameOf(name), value])))
}

/** What goes on in a teacher who reads a batch, and its head (W, D). */
export function onlineTeacher(config: GptConfig, batch: Batch): Inside & { readonly head: Tensor } {
  const shapes = weightShapes(config)
  const weight: Weights = (name) => state(nameOf(name), shapes.get(name)!)
  return { ...gptInside(config, weight, batch), head: headOf(config, weight) }
}

/** What is known of the teacher at N tokens; the inputs are those that `teacherFeeds` gives. */
export function teacherInputs(shape: StoredShape, N: number): WholeTeacher | SparseTeacher {
  if (shape.kind === 'hidden') {
    const hidden = cast(input('teacherHidden', [N, shape.head[1]], shape.fed), 'float32')
    return { hidden, head: state(teacherHeadName, shape.head) }
  }
  const ids = input('teacherIds', [N, shape.ids], 'int32')
  if (shape.kind === 'sampled') return { kind: 'sampled', ids, entropy: input('teacherEntropy', [N]) }
  const topk = { kind: 'topk', ids, logits: input('teacherLogits', [N, shape.ids]) } as const
  return shape.others === 'bucket' ? { ...topk, tail: input('teacherTail', [N]) } : topk
}

/** From the targets' columns by name, (N, width) each, what a graph of this shape is fed at a temperature. */
export function teacherFeeds(
  shape: StoredShape,
  columns: Readonly<Record<string, Feed>>,
  temperature: number,
): Record<string, Feed> {
  if (shape.kind === 'hidden') return { teacherHidden: columns['hidden']! }
  const teacherIds = columns['ids']!
  if (shape.kind === 'sampled') return { teacherIds, teacherEntropy: columnOf(columns['entropy']!, 0) }
  const topk = { teacherIds, teacherLogits: columns['logits']! }
  if (shape.others === 'renormalise') return topk
  return { ...topk, teacherTail: columnOf(columns['tails']!, shape.temperatures.indexOf(temperature)) }
}

/** Of a matrix: (N, width) to (N). */
function columnOf({ shape, data }: Feed, index: number): TensorValue {
  const [count, width] = shape as readonly [number, number]
  if (!(index >= 0 && index < width)) throw new Error(`Internal error: column ${index} of ${width}`)
  return { shape: [count], data: Float32Array.from({ length: count }, (_, n) => data[n * width + index]!) }
}
