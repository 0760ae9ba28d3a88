import { checkTargets } from '../lib/data/targets.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Tokens } from '../lib/data/tokens.ts'
import { openEngine } from '../lib/engine/index.ts'
import { fit } from '../lib/model/fit.ts'
import { lossProperties, objectiveOf } from '../lib/model/loss-params.ts'
import type { Schedule } from '../lib/model/schedule.ts'
import { readTargets } from '../lib/model/teacher.ts'
import { scheduleProperty, trainProperties } from '../lib/model/train-params.ts'
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
      ...lossProperties,
      temperature: {
        ...scheduleProperty({ exclusiveMinimum: 0 }),
        default: 2,
        description: 'divides the logits of both; a number, or { from, to, shape, by }',
      },
      alpha: {
        ...scheduleProperty({ minimum: 0, maximum: 1 }),
        default: 0.9,
        description: "the teacher's share of the loss; a number, or { from, to, shape, by }",
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
      const inputs = teacher ? { ...alone, teacher: { ...teacher, objective: objectiveOf(params) } } : alone
      const to = { model: out.student, curves: out.curves, dtype: 'F32' as const }
      await fit({ inputs, params, to, tokenizer: from.student, eos }, hooks)
    } finally {
      teacher?.targets.close()
      await engine.dispose()
    }
  },
})

function openTeacher(
  folder: string | undefined,
  { alpha, context }: { readonly alpha: Schedule; readonly context: number },
  { splits, tokenizerDigest }: Tokens,
): ReturnType<typeof readTargets> | undefined {
  if (folder === undefined) {
    if (alpha === 0) return undefined
    const message = `\`alpha\` is ${JSON.stringify(alpha)}, but there are no targets. Give the stage \`targets\`, or set alpha to 0 to learn from the text alone.`
    throw new Failure('TARGETS_NEEDED', message)
  }
  const teacher = readTargets(folder)
  const { header } = teacher.targets
  const { train } = splits
  const rest = { model: header.model, tokenizer: tokenizerDigest, stream: train.digest, count: train.ids.length - 1 }
  const fits = checkTargets(header, { ...rest, packing: { context, stride: context } })
  if (fits.ok) return teacher
  teacher.targets.close()
  throw fits.error
}
