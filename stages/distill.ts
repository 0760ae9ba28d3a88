import { checkLesson, checkTargets } from '../lib/data/targets/check.ts'
import type { Lesson } from '../lib/data/targets/check.ts'
import type { Form } from '../lib/data/targets/form.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Tokens } from '../lib/data/tokens.ts'
import { openEngine } from '../lib/engine/index.ts'
import { fit } from '../lib/model/fit.ts'
import { readTargets } from '../lib/model/teacher.ts'
import type { Others, StoredTeacher } from '../lib/model/taught.ts'
import { trainProperties } from '../lib/model/train-params.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { loadModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { Failure } from '../lib/util/failure.ts'

/** Trains the student on the text and, where there are targets, on the teacher's distributions. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      ...trainProperties,
      loss: { enum: ['forward-kl'], default: 'forward-kl', description: 'KL(teacher ‖ student)' },
      temperature: { type: 'number', exclusiveMinimum: 0, default: 2, description: 'divides the logits of both' },
      alpha: { type: 'number', minimum: 0, maximum: 1, default: 0.9, description: "the teacher's share of the loss" },
      alphaLast: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description: 'alpha of the last step; alpha where not given',
      },
      others: {
        enum: ['bucket', 'renormalise'],
        default: 'bucket',
        description: 'what targets of the form topk say of the tokens they do not name: their sum, or nothing',
      },
    },
  },
  in: ['student', 'tokens', 'targets?'],
  out: ['student', 'curves'],
  async run({ with: params, in: from, out, engine: choice, ranOn, ...hooks }) {
    const read = readTokens(from.tokens)
    if (!read.ok) throw read.error
    const { splits, eos } = read.value
    const { config, weights } = await loadModel(from.student)
    await checkVocabulary(from.student, config, read.value)
    const teacher = openTeacher(from.targets, params, read.value)
    const engine = await openEngine(choice)
    ranOn(engine.device)
    try {
      const alone = { engine, config, weights, train: splits.train, validation: splits.validation }
      const inputs = teacher ? { ...alone, teacher } : alone
      const to = { model: out.student, curves: out.curves, dtype: 'F32' as const }
      await fit({ inputs, params, to, tokenizer: from.student, eos }, hooks)
    } finally {
      teacher?.targets.close()
      await engine.dispose()
    }
  },
})

interface Teaching extends Lesson {
  readonly alpha: number
  readonly context: number
  readonly others: Others
}

function openTeacher(
  folder: string | undefined,
  { alpha, context, others, loss, temperature }: Teaching,
  { splits: { train }, tokenizerDigest, vocabSize }: Tokens,
): StoredTeacher | undefined {
  if (folder === undefined) {
    if (alpha === 0) return undefined
    const message = `\`alpha\` is ${alpha}, but there are no targets. Give the stage \`targets\`, or set alpha to 0 to learn from the text alone.`
    throw new Failure('TARGETS_NEEDED', message)
  }
  const teacher = readTargets(folder, others)
  const { header } = teacher.targets
  const rest = { model: header.model, tokenizer: tokenizerDigest, stream: train.digest, count: train.ids.length - 1 }
  const packing = { context, stride: context }
  const fits = checkTargets(header, { ...rest, packing, form: formFor(teacher, vocabSize) })
  const serves = fits.ok ? checkLesson(header.form, { loss, temperature }) : fits
  if (serves.ok) return teacher
  teacher.targets.close()
  throw serves.error
}

/** The form as it must be beside this head, or for these tokens. */
function formFor({ targets, shape }: StoredTeacher, vocabulary: number): Form {
  const { form } = targets.header
  if (form.kind !== 'hidden') return { ...form, vocabulary }
  return shape.kind === 'hidden' ? { ...form, width: shape.head[1] } : form
}
