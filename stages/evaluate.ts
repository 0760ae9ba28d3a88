import { writeFileSync } from 'node:fs'
import { conventions, itemFormats } from '../lib/data/task-forms.ts'
import type { Convention, ItemFormat } from '../lib/data/task-forms.ts'
import { readItems, readLastWords } from '../lib/data/tasks.ts'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import type { Tokenizer } from '../lib/data/tokenizer.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Tokens } from '../lib/data/tokens.ts'
import { wordsOf } from '../lib/data/words.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import { generate } from '../lib/model/generate.ts'
import type { GenerateOptions } from '../lib/model/generate.ts'
import { lostTokens } from '../lib/model/item-scores.ts'
import { baselinesOf } from '../lib/model/items.ts'
import { scoreLastWords } from '../lib/model/last-words.ts'
import { hold } from '../lib/model/likelihood.ts'
import type { Running } from '../lib/model/likelihood.ts'
import { perplexity } from '../lib/model/perplexity.ts'
import type { PerplexityOptions, ScoreHooks } from '../lib/model/perplexity.ts'
import { scoreItems } from '../lib/model/score.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { describeModel, loadModel, parameterCount } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import type { Progress } from '../lib/pipeline/stage.ts'
import type { Perplexity, Sample, Scores } from '../lib/report/scores.ts'
import type { Result } from '../lib/util/result.ts'

/** Scores one model: perplexity of the test split, the items of a data set, and how it continues some prompts. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      context: { type: 'integer', minimum: 1, description: 'tokens in a row of the test text' },
      stride: { type: 'integer', minimum: 0, default: 0, description: 'tokens from row to row; 0: as many as context' },
      tokens: { type: 'integer', minimum: 0, default: 0, description: 'of the test text, from its start; 0: all' },
      items: { type: 'integer', minimum: 0, default: 0, description: 'that are scored, from the first on; 0: all' },
      format: { enum: [...itemFormats, 'lambada'], default: 'hellaswag', description: 'data set whose form they have' },
      convention: {
        enum: conventions,
        default: 'plain',
        description:
          'plain: text verbatim, accNorm by tokens; harness: text, encoding and accNorm as lm-evaluation-harness has them',
      },
      prompts: { type: 'array', items: { type: 'string', minLength: 1 }, default: [], description: 'to be continued' },
      generateTokens: { type: 'integer', minimum: 1, default: 24, description: 'at most, in a continuation' },
      temperature: { type: 'number', minimum: 0, default: 0, description: '0: the likeliest token always' },
      topK: { type: 'integer', minimum: 0, default: 0, description: 'likeliest tokens to draw from; 0: all' },
      seed: { type: 'integer', default: 1, description: 'of the continuations' },
      batch: { type: 'integer', minimum: 1, default: 8, description: 'rows at once' },
      precision: precisionProperty,
    },
  },
  in: ['model', 'tasks?', 'tokens'],
  out: ['scores'],
  async run({ with: params, in: from, out, engine: choice, ranOn, ...hooks }) {
    const tokens = readTokens(from.tokens)
    if (!tokens.ok) throw tokens.error
    const model = await loadModel(from.model)
    const tokenizer = await checkVocabulary(from.model, model.config, tokens.value)
    const ask = from.tasks === undefined ? undefined : readQuestions(from.tasks, params)
    const engine = await openEngine({ ...choice, precision: params.precision })
    ranOn(engine.device)
    const running = hold(engine, model)
    try {
      const scores: Scores = {
        model: describeModel(model.config),
        parameters: parameterCount(model.config),
        perplexity: await measure(running, tokenizer, tokens.value, params, hooks),
        items: null,
        ...(await ask?.(running, await loadTokenizer(from.model), hooks)),
        samples: params.prompts.length > 0 ? await talk(running, from.model, tokens.value, params, hooks) : [],
      }
      writeFileSync(out.scores, `${JSON.stringify(scores)}\n`)
    } finally {
      running.memory.dispose()
      await engine.dispose()
    }
  },
})

interface Hooks {
  readonly signal: AbortSignal
  readonly log: (message: string) => void
  readonly progress: (progress: Progress) => void
}

interface QuestionParams {
  readonly items: number
  readonly format: ItemFormat | 'lambada'
  readonly convention: Convention
  readonly batch: number
}

type Answers = Partial<Pick<Scores, 'items' | 'baselines' | 'lastWords'>>
type Ask = (model: Running, tokenizer: Tokenizer, hooks: Hooks) => Promise<Answers>

/** Reads the items at once, so that a mistake in them is told before a model is scored. */
function readQuestions(file: string, { format, items: limit, ...options }: QuestionParams): Ask {
  if (format === 'lambada') {
    const texts = first(limit, readLastWords(file))
    return async (model, tokenizer, hooks) => {
      const scores = await scoreLastWords(model, tokenizer, texts, options, counting(hooks, 'rows'))
      const { acc, perplexity: found, count } = scores
      hooks.log(`acc ${acc.value.toFixed(4)}, perplexity ${found.value.toFixed(3)} of ${count} last words`)
      return { lastWords: scores }
    }
  }
  const items = first(limit, readItems(file, format, options.convention))
  return async (model, tokenizer, hooks) => {
    const { scores, cut } = await scoreItems(model, tokenizer, items, options, counting(hooks, 'rows'))
    if (cut > 0) hooks.log(lostTokens(cut))
    hooks.log(`acc ${scores.acc.toFixed(4)}, accNorm ${scores.accNorm.toFixed(4)} of ${scores.count} items`)
    return { items: scores, baselines: baselinesOf(items) }
  }
}

function first<T>(limit: number, read: Result<T[], Error>): readonly T[] {
  if (!read.ok) throw read.error
  return limit === 0 ? read.value : read.value.slice(0, limit)
}

const counting = ({ signal, progress }: Hooks, unit: string): ScoreHooks => ({
  signal,
  onProgress: (done, total) => progress({ done, total, unit }),
})

async function measure(
  model: Running,
  tokenizer: Tokenizer | undefined,
  { splits: { test }, eos }: Tokens,
  params: PerplexityOptions,
  hooks: Hooks,
): Promise<Perplexity> {
  const { context, batch, tokens } = params
  const options = { context, stride: params.stride === 0 ? context : params.stride, batch, tokens }
  const measured = await perplexity(model, test, options, counting(hooks, 'rows'))
  hooks.log(`perplexity ${measured.value.toFixed(3)} of ${measured.tokens} tokens`)
  const words = tokenizer ? wordsOf(tokenizer, test, eos, measured.tokens + 1) : 0
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
  { signal }: Hooks,
): Promise<Sample[]> {
  const tokenizer = await loadTokenizer(folder)
  const encoded = prompts.map((prompt) => tokenizer.encode(prompt))
  const continued = await generate(model, encoded, { ...drawing, tokens: generateTokens, eos, vocabSize }, { signal })
  return prompts.map((prompt, n) => ({ prompt, continuation: tokenizer.decode(continued[n]!) }))
}
