import { checkTargets } from '../data/targets.ts'
import type { Tokens } from '../data/tokens.ts'
import { Failure } from '../util/failure.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import { checkNoPairs, innerOf } from './inner-params.ts'
import type { Schedule } from './schedule.ts'
import { readTargets } from './teacher.ts'
import type { CachedTeacher, OnlineTeacher } from './train.ts'
import { checkVocabulary } from './vocabulary.ts'
import { loadModel } from './weights.ts'

/** How a student is taught. */
export type Lesson = Parameters<typeof innerOf>[0] & {
  readonly alpha: Schedule
  readonly context: number
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
): Promise<CachedTeacher | OnlineTeacher | undefined> {
  if (targets !== undefined && teacher !== undefined) {
    const message = 'The stage is given both `targets` and `teacher`. Keep one: targets are what a teacher said before.'
    throw new Failure('TEACHER_TWICE', message)
  }
  if (teacher !== undefined) return loadOnline(teacher, lesson, tokens)
  checkNoPairs(lesson)
  const { alpha, context } = lesson
  if (targets !== undefined) return openCached(targets, context, tokens)
  if (alpha === 0) return undefined
  const message = `\`alpha\` is ${JSON.stringify(alpha)}, but there is nobody to learn from. Give the stage \`targets\`, or a \`teacher\` to run in each step, or set alpha to 0 to learn from the text alone.`
  throw new Failure('TARGETS_NEEDED', message)
}

/** Targets of the training split, of this teacher where one is named. Throws Failure TARGETS_…. */
export function openCached(
  folder: string,
  context: number,
  { splits: { train }, tokenizerDigest }: Tokens,
  model?: string,
): CachedTeacher {
  const teacher = readTargets(folder)
  const { header } = teacher.targets
  const rest = { tokenizer: tokenizerDigest, stream: train.digest, count: train.ids.length - 1 }
  const packing = { context, stride: context }
  const fits = checkTargets(header, { model: model ?? header.model, packing, ...rest })
  if (fits.ok) return teacher
  teacher.targets.close()
  throw fits.error
}

async function loadOnline(folder: string, lesson: Lesson, tokens: Tokens): Promise<OnlineTeacher> {
  const model = await loadModel(folder)
  await checkVocabulary(folder, model.config, tokens)
  checkContext(model.config, lesson.context)
  return { model, inner: innerOf(lesson, { teacher: model.config, student: lesson.student }) }
}
