import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeForm, layoutOf } from '../lib/data/targets/form.ts'
import type { Form } from '../lib/data/targets/form.ts'
import { recordSize } from '../lib/data/targets/records.ts'
import { readTokens } from '../lib/data/tokens.ts'
import { attends } from '../lib/data/windows.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import { measureForm } from '../lib/model/bias.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { rowsAtOnce, writeTargets } from '../lib/model/teacher.ts'
import { openModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { Failure } from '../lib/util/failure.ts'

const positive = { type: 'number', exclusiveMinimum: 0 } as const

/**
 * The teacher's one pass over the training text, layer by layer, in a form that a training can read again and again; and
 * what the form costs, in bytes and in truth (`measured.json`).
 */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      context: { type: 'integer', minimum: 1, description: 'tokens in a row, the same as in training' },
      attend: {
        enum: attends,
        default: 'row',
        description: 'what a token sees, the same as in training: all before it in its row, or in its document alone',
      },
      precision: precisionProperty,
      form: {
        enum: ['hidden', 'sampled', 'topk'],
        default: 'hidden',
        description:
          'what is kept: hidden states, exact for every loss at every temperature; draws; the likeliest tokens',
      },
      dtype: {
        enum: ['F16', 'I8'],
        default: 'F16',
        description: 'of hidden states; I8 is half of F16 and rounds more',
      },
      samples: { type: 'integer', minimum: 1, default: 12, description: 'draws a token, of the form sampled' },
      temperature: { ...positive, default: 2, description: 'of the draws, and of any training with them' },
      seed: { type: 'integer', minimum: 0, default: 1, description: 'of the draws' },
      k: { type: 'integer', minimum: 1, default: 64, description: 'tokens kept, of the form topk' },
      temperatures: {
        type: 'array',
        minItems: 1,
        uniqueItems: true,
        items: positive,
        default: [1, 2, 4],
        description: 'at which topk knows what the other tokens have together',
      },
    },
  },
  in: ['teacher', 'tokens'],
  out: ['targets'],
  async run({ with: params, in: from, out, engine: choice, ranOn, signal, progress, log }) {
    const tokens = readTokens(from.tokens)
    if (!tokens.ok) throw tokens.error
    const { splits, tokenizerDigest, vocabSize } = tokens.value
    const model = await openModel(from.teacher)
    await checkVocabulary(from.teacher, model.config, tokens.value)
    const form = formOf(params, model.config.width, vocabSize)
    const engine = await openEngine({ ...choice, precision: params.precision })
    ranOn(engine.device)
    try {
      const { context, attend } = params
      const onRows = (done: number, total: number): void => progress({ done, total, unit: 'rows' })
      const options = { context, attend, batch: rowsAtOnce(model.config, context), tokenizerDigest, form }
      await writeTargets(out.targets, engine, model, splits.train, options, { signal, onRows })
      const bytes = { bytesPerToken: recordSize(layoutOf(form)), plainBytesPerToken: 2 * vocabSize }
      const measured = await measureForm(engine, model, splits.validation, { form, context, attend, signal })
      const content = { form: describeForm(form), ...bytes, ...measured }
      writeFileSync(join(out.targets, 'measured.json'), `${JSON.stringify(content, null, 2)}\n`)
      log(`${splits.train.ids.length - 1} records of ${bytes.bytesPerToken} bytes: ${content.form}`)
    } finally {
      await engine.dispose()
    }
  },
})

interface Params {
  readonly form: Form['kind']
  readonly dtype: 'F16' | 'I8'
  readonly samples: number
  readonly temperature: number
  readonly seed: number
  readonly k: number
  readonly temperatures: readonly number[]
}

function formOf(params: Params, width: number, vocabulary: number): Form {
  const { form: kind, dtype, samples, temperature, seed, k, temperatures } = params
  switch (kind) {
    case 'hidden':
      return { kind, dtype, width }
    case 'sampled':
      return { kind, vocabulary, samples, temperature, seed }
    case 'topk':
      if (k <= vocabulary) return { kind, vocabulary, k, temperatures }
      throw new Failure('K_TOO_LARGE', `\`k\` is ${k}; the vocabulary has ${vocabulary} tokens. Take at most as many.`)
  }
}
