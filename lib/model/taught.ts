import type { Targets } from '../data/targets.ts'
import type { SampledForm, TopkForm } from '../data/targets/form.ts'
import type { TensorValue } from '../engine/engine.ts'
import { input, state } from '../graph/index.ts'
import type { Teacher } from './losses.ts'
import type { SparseTeacher } from './sparse-losses.ts'

// N tokens of a micro-batch · D width and W vocabulary of the teacher · S ids a token

/** Targets of the training split, in rows of the student's context, and what else teaches with them. */
export type StoredTeacher =
  | { readonly targets: Targets; readonly shape: HiddenShape; readonly head: TensorValue }
  | { readonly targets: Targets; readonly shape: SparseShape }

/** What a graph is made for. */
export type TeacherShape = HiddenShape | SparseShape

interface HiddenShape {
  readonly kind: 'hidden'
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

/** The teacher's head in memory. */
export const teacherHeadName = 'teacher.head'

export const sparseShape = (form: SampledForm | TopkForm, others: Others): SparseShape =>
  form.kind === 'sampled'
    ? { kind: 'sampled', ids: form.samples }
    : { kind: 'topk', ids: form.k, temperatures: form.temperatures, others }

/** The teacher in a graph over N tokens; its inputs are those that `teacherFeeds` gives, and temperature and alpha. */
export function teacherInputs(shape: TeacherShape, N: number): Teacher | SparseTeacher {
  const common = { temperature: input('temperature', []), alpha: input('alpha', []) }
  if (shape.kind === 'hidden') {
    const hidden = input('teacherHidden', [N, shape.head[1]])
    return { ...common, hidden, head: state(teacherHeadName, shape.head) }
  }
  const ids = input('teacherIds', [N, shape.ids], 'int32')
  if (shape.kind === 'sampled') return { ...common, kind: 'sampled', ids, entropy: input('teacherEntropy', [N]) }
  const logits = input('teacherLogits', [N, shape.ids])
  const topk = { ...common, kind: 'topk', ids, logits } as const
  return shape.others === 'bucket' ? { ...topk, tail: input('teacherTail', [N]) } : topk
}

/** From the targets' columns by name, (N, width) each, what a graph of this shape is fed at a temperature. */
export function teacherFeeds(
  shape: TeacherShape,
  columns: Readonly<Record<string, TensorValue>>,
  temperature: number,
): Record<string, TensorValue> {
  if (shape.kind === 'hidden') return { teacherHidden: columns['hidden']! }
  const teacherIds = columns['ids']!
  if (shape.kind === 'sampled') return { teacherIds, teacherEntropy: columnOf(columns['entropy']!, 0) }
  const topk = { teacherIds, teacherLogits: columns['logits']! }
  if (shape.others === 'renormalise') return topk
  return { ...topk, teacherTail: columnOf(columns['tails']!, shape.temperatures.indexOf(temperature)) }
}

/** Of a matrix: (N, width) to (N). */
function columnOf({ shape, data }: TensorValue, index: number): TensorValue {
  const [count, width] = shape as readonly [number, number]
  if (!(index >= 0 && index < width)) throw new Error(`Internal error: column ${index} of ${width}`)
  return { shape: [count], data: Float32Array.from({ length: count }, (_, n) => data[n * width + index]!) }
}
