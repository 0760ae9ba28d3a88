import { readTokens } from '../lib/data/tokens.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import { fit, lengths } from '../lib/model/fit.ts'
import { innerProperties } from '../lib/model/inner-params.ts'
import { lossProperties, objectiveOf } from '../lib/model/loss-params.ts'
import { closeMixture, openMixture } from '../lib/model/open-mixture.ts'
import { openTeacher } from '../lib/model/open-teacher.ts'
import { questionProperties, questions } from '../lib/model/questions.ts'
import { scheduleProperty, trainProperties } from '../lib/model/train-params.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { loadModel } from '../lib/model/weights.ts'
import { choices } from '../lib/util/choices.ts'
import { defineStage } from '../lib/pipeline/stage.ts'

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
      ...questionProperties,
      temperature: {
        ...scheduleProperty({ exclusiveMinimum: 0 }),
        default: 2,
        description:
          'T divides the logits of both before their softmax, softmax(z / T); without unit; above 1 unlikely tokens count for more (Hinton et al. 2015, arXiv:1503.02531). A number, one for each epoch, or { from, to, shape, by }',
      },
      alpha: {
        ...scheduleProperty({ minimum: 0, maximum: 1 }),
        default: 0.9,
        description:
          "the teacher's share of the loss, from 0 to 1: alpha·T²·D(teacher, student) + (1 − alpha)·CE(text), in nats a token, D from `loss` and CE = −log p of the token that comes (Hinton et al. 2015, arXiv:1503.02531). A number, one for each epoch, or { from, to, shape, by }",
      },
      others: {
        ...choices({
          bucket: 'what they have together is learnt, and spread as the student spreads it',
          renormalise: 'nothing: both distributions are over the named tokens alone',
        }),
        default: 'bucket',
        description: 'what targets of the form topk say of the tokens that they do not name',
      },
      mix: {
        type: 'object',
        additionalProperties: scheduleProperty({ minimum: 0 }),
        default: {},
        description:
          'of each corpus of `mixed` by its name, the rows that an epoch takes as a share of all that it has: 1 for each once. A number, one for each epoch, or { from, to, shape, by }',
      },
    },
  },
  in: ['student', 'tokens', 'tasks?', 'targets?', 'teacher?', 'mixed{}?', 'mixedTargets{}?'],
  out: ['student', 'curves'],
  extend: lengths,
  async run({ with: params, in: from, out, engine: choice, ranOn, ...hooks }) {
    const read = readTokens(from.tokens)
    if (!read.ok) throw read.error
    const { splits, eos } = read.value
    const { config, weights } = await loadModel(from.student)
    await checkVocabulary(from.student, config, read.value)
    const teacher = await openTeacher(from, { ...params, student: config }, read.value)
    const mixed = openMixture(from, params, read.value, teacher)
    const ask = from.tasks === undefined ? undefined : await questions(from.tasks, from.student, params, hooks.signal)
    const engine = await openEngine({ ...choice, precision: params.precision })
    ranOn(engine.device)
    try {
      const alone = { engine, config, weights, train: splits.train, mixed, validation: splits.validation }
      const inputs = teacher ? { ...alone, teacher: { ...teacher, objective: objectiveOf(params) } } : alone
      const to = { model: out.student, curves: out.curves, dtype: 'F32' as const }
      await fit({ inputs, params, to, tokenizer: from.student, eos }, ask ? { ...hooks, ask } : hooks)
    } finally {
      if (teacher && 'targets' in teacher) teacher.targets.close()
      closeMixture(mixed)
      await engine.dispose()
    }
  },
})
