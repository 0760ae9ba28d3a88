import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeForm, layoutOf } from '../lib/data/targets/form.ts'
import type { Form } from '../lib/data/targets/form.ts'
import { recordSize } from '../lib/data/targets/records.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Split } from '../lib/data/tokens.ts'
import { attendProperty } from '../lib/data/windows.ts'
import type { Attend } from '../lib/data/windows.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import type { Engine, Precision } from '../lib/engine/index.ts'
import { measureForm } from '../lib/model/bias.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { batchCount, mergeTargets, rowsAtOnce, writeBatches, writeTargets } from '../lib/model/teacher.ts'
import type { TeacherOptions } from '../lib/model/teacher.ts'
import { openModel } from '../lib/model/weights.ts'
import type { StoredModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import type { StageContext } from '../lib/pipeline/stage.ts'
import { choices } from '../lib/util/choices.ts'
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
      context: {
        type: 'integer',
        minimum: 1,
        description:
          "tokens in a row, the same as in training; at most as many as the teacher's table of positions has",
      },
      attend: attendProperty,
      precision: precisionProperty,
      form: {
        ...choices<Form['kind']>({
          hidden: 'the last hidden states: exact for every loss at every temperature',
          sampled: 'tokens drawn at one temperature (Anshumann et al. 2025, arXiv:2503.16870), for `loss: forward-kl`',
          topk: 'the likeliest tokens, and what all others have together, for `loss: forward-kl`',
        }),
        default: 'hidden',
        description: "what is kept of the teacher's distribution at each token",
      },
      dtype: {
        ...choices<Params['dtype']>({
          F16: 'float16, 2 bytes',
          I8: 'whole numbers of 1 byte with a scale, which round more',
        }),
        default: 'F16',
        description: 'of each number of `form: hidden`',
      },
      samples: { type: 'integer', minimum: 1, default: 12, description: 'draws at each token, of `form: sampled`' },
      temperature: {
        ...positive,
        default: 2,
        description: 'T of the draws, softmax(z / T), and of any training with them; of `form: sampled`',
      },
      seed: {
        type: 'integer',
        minimum: 0,
        default: 1,
        description: 'what the draws of `form: sampled` are drawn from',
      },
      k: { type: 'integer', minimum: 1, default: 64, description: 'tokens kept at each token, of `form: topk`' },
      temperatures: {
        type: 'array',
        minItems: 1,
        uniqueItems: true,
        items: positive,
        default: [1, 2, 4],
        description:
          'values of T at which `form: topk` knows what the other tokens have together: a training takes these alone',
      },
    },
  },
  in: ['teacher', 'tokens'],
  out: ['targets'],
  async run(context) {
    const { with: params, in: from, out } = context
    const work = await workOf(params, from)
    await withEngine(context, async (engine, hooks) => {
      await writeTargets(out.targets, engine, work.model, work.train, work.options, hooks)
      await measure(engine, work, context)
    })
  },
  shards: {
    unit: 'batches',
    units: async ({ with: params, in: from }) => {
      const { train, options } = await workOf(params, from)
      return batchCount(train, options)
    },
    async run(context) {
      const { with: params, in: from, range, part } = context
      const { model, train, options } = await workOf(params, from)
      await withEngine(context, (engine, hooks) =>
        writeBatches(part, engine, model, train, { ...options, range }, hooks),
      )
    },
    async merge(context) {
      const { with: params, in: from, out, parts } = context
      const work = await workOf(params, from)
      mergeTargets(out.targets, work.model, work.train, work.options, parts)
      await withEngine(context, (engine) => measure(engine, work, context))
    },
  },
})

interface Work {
  readonly model: StoredModel
  readonly train: Split
  readonly validation: Split
  readonly vocabulary: number
  readonly options: TeacherOptions
}

async function workOf(params: Params, from: { readonly teacher: string; readonly tokens: string }): Promise<Work> {
  const tokens = readTokens(from.tokens)
  if (!tokens.ok) throw tokens.error
  const { splits, tokenizerDigest, vocabSize } = tokens.value
  const model = await openModel(from.teacher)
  await checkVocabulary(from.teacher, model.config, tokens.value)
  const { context, attend } = params
  const form = formOf(params, model.config.width, vocabSize)
  const options = { context, attend, batch: rowsAtOnce(model.config, context), tokenizerDigest, form }
  return { model, train: splits.train, validation: splits.validation, vocabulary: vocabSize, options }
}

interface Hooks {
  readonly signal: AbortSignal
  readonly onRows: (done: number, total: number) => void
}

type Context = Pick<
  StageContext<Pick<Params, 'precision'>, never, never>,
  'with' | 'engine' | 'ranOn' | 'signal' | 'progress' | 'log'
>

async function withEngine(
  { with: { precision }, engine: choice, ranOn, signal, progress }: Context,
  use: (engine: Engine, hooks: Hooks) => Promise<void>,
): Promise<void> {
  const engine = await openEngine({ ...choice, precision })
  ranOn(engine.device)
  try {
    await use(engine, { signal, onRows: (done, total) => progress({ done, total, unit: 'rows' }) })
  } finally {
    await engine.dispose()
  }
}

/** Says beside the targets what their form costs. */
async function measure(
  engine: Engine,
  { model, train, validation, vocabulary, options: { form, context, attend } }: Work,
  { out, signal, log }: Pick<Context, 'signal' | 'log'> & { readonly out: { readonly targets: string } },
): Promise<void> {
  const bytes = { bytesPerToken: recordSize(layoutOf(form)), plainBytesPerToken: 2 * vocabulary }
  const measured = await measureForm(engine, model, validation, { form, context, attend: attend ?? 'row', signal })
  const content = { form: describeForm(form), ...bytes, ...measured }
  writeFileSync(join(out.targets, 'measured.json'), `${JSON.stringify(content, null, 2)}\n`)
  log(`${train.ids.length - 1} records of ${bytes.bytesPerToken} bytes: ${content.form}`)
}

interface Params {
  readonly context: number
  readonly attend: Attend
  readonly precision: Precision
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
