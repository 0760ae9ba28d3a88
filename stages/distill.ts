import { checkTargets } from '../lib/data/targets.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Tokens } from '../lib/data/tokens.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import { checkContext } from '../lib/model/config.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { fit } from '../lib/model/fit.ts'
import { checkNoPairs, innerOf, innerProperties } from '../lib/model/inner-params.ts'
import { lossProperties, objectiveOf } from '../lib/model/loss-params.ts'
import { readTargets } from '../lib/model/teacher.ts'
import { trainProperties } from '../lib/model/train-params.ts'
import type { CachedTeacher, OnlineTeacher } from '../lib/model/train.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { loadModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { Failure } from '../lib/util/failure.ts'

/** Trains the student on the text and, where there are targets or a teacher, on the teacher's distributions. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      ...trainProperties,
      precision: precisionProperty,
      ...lossProperties,
      ...innerProperties,
      temperature: { type: 'number', exclusiveMinimum: 0, default: 2, description: 'divides the logits of both' },
      alpha: { type: 'number', minimum: 0, maximum: 1, default: 0.9, description: "the teacher's share of the loss" },
      alphaLast: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description: 'alpha of the last step; alpha where not given',
      },
    },
  },
  in: ['student', 'tokens', 'targets?', 'teacher?'],
  out: ['student', 'curves'],
  async run({ with: params, in: from, out, engine: choice, ranOn, ...hooks }) {
    const read = readTokens(from.tokens)
    if (!read.ok) throw read.error
    const { splits, eos } = read.value
    const { config, weights } = await loadModel(from.student)
    await checkVocabulary(from.student, config, read.value)
    const teacher = await openTeacher(from, { ...params, student: config }, read.value)
    const engine = await openEngine({ ...choice, precision: params.precision })
    ranOn(engine.device)
    try {
      const alone = { engine, config, weights, train: splits.train, validation: splits.validation }
      const inputs = teacher ? { ...alone, teacher: { ...teacher, objective: objectiveOf(params) } } : alone
      const to = { model: out.student, curves: out.curves, dtype: 'F32' as const }
      await fit({ inputs, params, to, tokenizer: from.student, eos }, hooks)
    } finally {
      if (teacher && 'targets' in teacher) teacher.targets.close()
      await engine.dispose()
    }
  },
})

type Lesson = Parameters<typeof innerOf>[0] & {
  readonly alpha: number
  readonly context: number
  readonly student: GptConfig
}

async function openTeacher(
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
  const message = `\`alpha\` is ${alpha}, but there is nobody to learn from. Give the stage \`targets\`, or a \`teacher\` to run in each step, or set alpha to 0 to learn from the text alone.`
  throw new Failure('TARGETS_NEEDED', message)
}

function openCached(folder: string, context: number, { splits, tokenizerDigest }: Tokens): CachedTeacher {
  const teacher = readTargets(folder)
  const { header } = teacher.targets
  const { train } = splits
  const rest = { model: header.model, tokenizer: tokenizerDigest, stream: train.digest, count: train.ids.length - 1 }
  const fits = checkTargets(header, { ...rest, packing: { context, stride: context } })
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
