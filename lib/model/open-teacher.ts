import { checkTargets } from '../data/targets/check.ts'
import type { TargetsExpected } from '../data/targets/check.ts'
import type { Form } from '../data/targets/form.ts'
import type { Tokens } from '../data/tokens.ts'
import type { Attend } from '../data/windows.ts'
import { Failure } from '../util/failure.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import { checkNoPairs, innerOf } from './inner-params.ts'
import type { Schedule } from './schedule.ts'
import type { OnlineTeacher, Others, StoredTeacher, Teacher } from './taught.ts'
import { readTargets } from './teacher.ts'
import { checkVocabulary } from './vocabulary.ts'
import { loadModel } from './weights.ts'

/** How a student is taught. */
export type Lesson = Parameters<typeof innerOf>[0] & {
  readonly alpha: Schedule
  readonly context: number
  readonly attend: Attend
  readonly others: Others
  readonly student: GptConfig
}

/**
 * Who teaches: targets, which the caller closes, a model, or nobody. Throws Failure TEACHER_TWICE, TARGETS_NEEDED,
 * TARGETS_MISMATCH, and what reading them throws.
 */
export async function openTeacher(
  { targets, teacher }: { readonly targets?: string; readonly teacher?: string },
  lesson: Lesson,
  tokens: Tokens,
): Promise<Teacher | undefined> {
  if (targets !== undefined && teacher !== undefined) {
    const message = 'The stage is given both `targets` and `teacher`. Keep one: targets are what a teacher said before.'
    throw new Failure('TEACHER_TWICE', message)
  }
  if (teacher !== undefined) return loadOnline(teacher, lesson, tokens)
  checkNoPairs(lesson)
  if (targets !== undefined) return openStored(targets, lesson, tokens)
  const { alpha } = lesson
  if (alpha === 0) return undefined
  const message = `\`alpha\` is ${JSON.stringify(alpha)}, but there is nobody to learn from. Give the stage \`targets\`, or a \`teacher\` to run in each step, or set alpha to 0 to learn from the text alone.`
  throw new Failure('TARGETS_NEEDED', message)
}

/** Targets of the training split, as is expected of them beside that. Throws Failure TARGETS_…. */
export function openStored(
  folder: string,
  { context, attend, others }: Pick<Lesson, 'context' | 'attend' | 'others'>,
  { splits: { train }, tokenizerDigest, vocabSize }: Tokens,
  expected: Pick<TargetsExpected, 'corpus'> & Partial<Pick<TargetsExpected, 'model' | 'form'>> = {},
): StoredTeacher {
  const teacher = readTargets(folder, others)
  const { header } = teacher.targets
  const rest = { tokenizer: tokenizerDigest, stream: train.digest, count: train.ids.length - 1 }
  const rows = { packing: { context, stride: context }, attend }
  const found = { model: header.model, form: formFor(teacher, vocabSize) }
  const fits = checkTargets(header, { ...found, ...rows, ...rest, ...expected })
  if (fits.ok) return teacher
  teacher.targets.close()
  throw fits.error
}

/** The form as it must be beside this head, or for these tokens. */
function formFor({ targets, shape }: StoredTeacher, vocabulary: number): Form {
  const { form } = targets.header
  if (form.kind !== 'hidden') return { ...form, vocabulary }
  return shape.kind === 'hidden' ? { ...form, width: shape.head[1] } : form
}

async function loadOnline(folder: string, lesson: Lesson, tokens: Tokens): Promise<OnlineTeacher> {
  const model = await loadModel(folder)
  await checkVocabulary(folder, model.config, tokens)
  checkContext(model.config, lesson.context)
  const { config } = model
  return {
    model,
    shape: { kind: 'online', config, inner: innerOf(lesson, { teacher: config, student: lesson.student }) },
  }
}
