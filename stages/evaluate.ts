import { readFileSync, writeFileSync } from 'node:fs'
import { conventionMeanings, itemMeanings } from '../lib/data/task-forms.ts'
import type { Convention, ItemFormat } from '../lib/data/task-forms.ts'
import { readItems, readLastWords } from '../lib/data/tasks.ts'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import type { Tokenizer } from '../lib/data/tokenizer.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Tokens } from '../lib/data/tokens.ts'
import { wordsOf } from '../lib/data/words.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import type { Precision } from '../lib/engine/index.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { generate } from '../lib/model/generate.ts'
import type { GenerateOptions } from '../lib/model/generate.ts'
import { lostTokens } from '../lib/model/item-scores.ts'
import { baselinesOf } from '../lib/model/items.ts'
import { lastWordExam } from '../lib/model/last-words.ts'
import { hold } from '../lib/model/likelihood.ts'
import type { Running } from '../lib/model/likelihood.ts'
import { cutRows } from '../lib/model/perplexity.ts'
import type { Perplexity as Measured, PerplexityOptions } from '../lib/model/perplexity.ts'
import { batchCount, concludeWork, readWork, scoreWork, workOf, writtenWork } from '../lib/model/score-work.ts'
import type { Scored, ScoreWork, WrittenWork } from '../lib/model/score-work.ts'
import { itemExam } from '../lib/model/score.ts'
import type { Exam } from '../lib/model/score.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { describeModel, loadStored, openModel, parameterCount } from '../lib/model/weights.ts'
import type { StoredModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { choices } from '../lib/util/choices.ts'
import type { StageContext } from '../lib/pipeline/stage.ts'
import type { Perplexity, Sample, Scores } from '../lib/report/scores.ts'
import type { Result } from '../lib/util/result.ts'
import type { UnitRange } from '../lib/util/unit-range.ts'

/** Scores one model: perplexity of the test split, the items of a data set, and how it continues some prompts. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      context: {
        type: 'integer',
        minimum: 1,
        description: "tokens in a row of the test text; at most as many as the model's table of positions has",
      },
      stride: {
        type: 'integer',
        minimum: 0,
        default: 0,
        description:
          'tokens from the start of a row to that of the next, each token being scored once; fewer than `context` give each more to go by. 0: as many as `context`',
      },
      tokens: {
        type: 'integer',
        minimum: 0,
        default: 0,
        description: 'tokens of the test text that are scored, from its start; 0: all',
      },
      items: {
        type: 'integer',
        minimum: 0,
        default: 0,
        description: 'items of `tasks` that are scored, from the first on; 0: all',
      },
      format: {
        ...choices({
          ...itemMeanings,
          lambada: 'LAMBADA: the last word of a text, of all there are (Paperno et al. 2016, arXiv:1606.06031)',
        }),
        default: 'hellaswag',
        description: 'data set whose form the items of `tasks` have',
      },
      convention: {
        ...choices(conventionMeanings),
        default: 'plain',
        description: 'by which items are worded, encoded and scored',
      },
      prompts: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        default: [],
        description: 'texts that the model continues',
      },
      generateTokens: { type: 'integer', minimum: 1, default: 24, description: 'tokens of a continuation, at most' },
      temperature: {
        type: 'number',
        minimum: 0,
        default: 0,
        description: 'divides the logits that continuations are drawn by, without unit; 0: the likeliest token always',
      },
      topK: {
        type: 'integer',
        minimum: 0,
        default: 0,
        description: 'likeliest tokens that continuations are drawn from (Fan et al. 2018, arXiv:1805.04833); 0: all',
      },
      seed: { type: 'integer', default: 1, description: 'what continuations are drawn from' },
      batch: { type: 'integer', minimum: 1, default: 8, description: 'rows at once: of no effect on the result' },
      precision: precisionProperty,
    },
  },
  in: ['model', 'tasks?', 'tokens'],
  out: ['scores'],
  async run(context) {
    const asked = await ask(context)
    const found = await answer(asked, { from: 0, to: unitsOf(asked) }, context)
    writeScores(context.out.scores, asked, [found], context.log)
  },
  shards: {
    unit: 'batches',
    units: async (context) => unitsOf(await ask(context)),
    async run(context) {
      const found = await answer(await ask(context), context.range, context)
      const written: Written = { ...writtenWork(found.scored), samples: found.samples }
      writeFileSync(context.part, JSON.stringify(written))
    },
    async merge(context) {
      const found = context.parts.map((part) => JSON.parse(readFileSync(part, 'utf8')) as Written)
      const answers = found.map(({ samples, ...written }) => ({ scored: readWork(written), samples }))
      writeScores(context.out.scores, await ask(context), answers, context.log)
    },
  },
})

interface Params extends PerplexityOptions, QuestionParams, TalkParams {
  readonly precision: Precision
}

interface From {
  readonly model: string
  readonly tasks?: string
  readonly tokens: string
}

type Context = Pick<StageContext<Params, never, never>, 'with' | 'engine' | 'ranOn' | 'signal' | 'progress'>

/** All that a model is asked: what it is scored by, in batches, and then, as one unit more, to continue prompts. */
interface Asked {
  readonly work: ScoreWork<Answers>
  readonly params: Params
  readonly from: From
  readonly model: StoredModel
  readonly tokens: Tokens
  /** Of the model; undefined where it has none of its own. */
  readonly tokenizer: Tokenizer | undefined
}

/** Reads all that is asked at once, so that a mistake in it is told before a model is scored. */
async function ask({ with: params, in: from }: { readonly with: Params; readonly in: From }): Promise<Asked> {
  const tokens = readTokens(from.tokens)
  if (!tokens.ok) throw tokens.error
  const model = await openModel(from.model)
  const { config } = model
  const tokenizer = await checkVocabulary(from.model, config, tokens.value)
  const { stride, context } = params
  const rows = cutRows(config, tokens.value.splits.test, { ...params, stride: stride === 0 ? context : stride })
  const exam =
    from.tasks === undefined ? undefined : readQuestions(from.tasks, params, await loadTokenizer(from.model), config)
  const work = workOf(rows, exam, { batch: params.batch, width: config.width })
  return { work, params, from, model, tokens: tokens.value, tokenizer }
}

const unitsOf = ({ work, params: { prompts } }: Asked): number => batchCount(work) + (prompts.length > 0 ? 1 : 0)

interface Found {
  readonly scored: Scored
  readonly samples: readonly Sample[]
}

type Written = WrittenWork & Pick<Found, 'samples'>

/** Does some units of what is asked. */
async function answer(asked: Asked, range: UnitRange, context: Context): Promise<Found> {
  const { params, from, work } = asked
  const { signal, progress } = context
  const engine = await openEngine({ ...context.engine, precision: params.precision })
  context.ranOn(engine.device)
  const running = hold(engine, loadStored(asked.model))
  try {
    const onProgress = (done: number, total: number): void => progress({ done, total, unit: 'rows' })
    const scored = await scoreWork(running, work, range, { signal, onProgress })
    const talks = params.prompts.length > 0 && range.to > batchCount(work)
    return { scored, samples: talks ? await talk(running, from.model, asked.tokens, params, signal) : [] }
  } finally {
    running.memory.dispose()
    await engine.dispose()
  }
}

type Log = (message: string) => void

function writeScores(file: string, asked: Asked, found: readonly Found[], log: Log): void {
  const { perplexity, answers } = concludeWork(
    asked.work,
    found.map(({ scored }) => scored),
  )
  const scores: Scores = {
    model: describeModel(asked.model.config),
    parameters: parameterCount(asked.model.config),
    perplexity: inWords(perplexity, asked, log),
    items: null,
    ...answers?.(log),
    samples: found.flatMap(({ samples }) => samples),
  }
  writeFileSync(file, `${JSON.stringify(scores)}\n`)
}

interface QuestionParams {
  readonly items: number
  readonly format: ItemFormat | 'lambada'
  readonly convention: Convention
}

/** What is told of the answers, which goes to the log too. */
type Answers = (log: Log) => Partial<Pick<Scores, 'items' | 'baselines' | 'lastWords'>>

function readQuestions(
  file: string,
  { format, items: limit, convention }: QuestionParams,
  tokenizer: Tokenizer,
  { context: positions }: GptConfig,
): Exam<Answers> {
  if (format === 'lambada') {
    const texts = first(limit, readLastWords(file))
    return concluding(lastWordExam(tokenizer, texts, { convention, positions }), (scores) => (log) => {
      const { acc, perplexity: found, count } = scores
      log(`acc ${acc.value.toFixed(4)}, perplexity ${found.value.toFixed(3)} of ${count} last words`)
      return { lastWords: scores }
    })
  }
  const items = first(limit, readItems(file, format, convention))
  return concluding(itemExam(tokenizer, items, { convention, positions }), ({ scores, cut }) => (log) => {
    if (cut > 0) log(lostTokens(cut))
    log(`acc ${scores.acc.toFixed(4)}, accNorm ${scores.accNorm.toFixed(4)} of ${scores.count} items`)
    return { items: scores, baselines: baselinesOf(items) }
  })
}

const concluding = <A, B>(exam: Exam<A>, next: (answers: A) => B): Exam<B> => ({
  ...exam,
  conclude: (found) => next(exam.conclude(found)),
})

function first<T>(limit: number, read: Result<T[], Error>): readonly T[] {
  if (!read.ok) throw read.error
  return limit === 0 ? read.value : read.value.slice(0, limit)
}

function inWords(measured: Measured, { tokens, tokenizer }: Asked, log: Log): Perplexity {
  log(`perplexity ${measured.value.toFixed(3)} of ${measured.tokens} tokens`)
  const words = tokenizer ? wordsOf(tokenizer, tokens.splits.test, tokens.eos, measured.tokens + 1) : 0
  const perWord = words > 0 ? { words, valuePerWord: Math.exp(measured.nll / words) } : {}
  return { ...measured, split: 'test', ...perWord }
}

type TalkParams = Pick<GenerateOptions, 'temperature' | 'topK' | 'seed'> & {
  readonly prompts: readonly string[]
  readonly generateTokens: number
}

async function talk(
  model: Running,
  folder: string,
  { eos, vocabSize }: Tokens,
  { prompts, generateTokens, ...drawing }: TalkParams,
  signal: AbortSignal,
): Promise<Sample[]> {
  const tokenizer = await loadTokenizer(folder)
  const encoded = prompts.map((prompt) => tokenizer.encode(prompt))
  const continued = await generate(model, encoded, { ...drawing, tokens: generateTokens, eos, vocabSize }, { signal })
  return prompts.map((prompt, n) => ({ prompt, continuation: tokenizer.decode(continued[n]!) }))
}
