import { writeFileSync } from 'node:fs'
import { readItems } from '../lib/data/tasks.ts'
import type { Item } from '../lib/data/tasks.ts'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import { readTokens } from '../lib/data/tokens.ts'
import type { Tokens } from '../lib/data/tokens.ts'
import { openEngine } from '../lib/engine/index.ts'
import { generate } from '../lib/model/generate.ts'
import type { GenerateOptions } from '../lib/model/generate.ts'
import { baselinesOf } from '../lib/model/items.ts'
import { hold } from '../lib/model/likelihood.ts'
import type { Running } from '../lib/model/likelihood.ts'
import { perplexity } from '../lib/model/perplexity.ts'
import type { Perplexity, PerplexityOptions, ScoreHooks } from '../lib/model/perplexity.ts'
import { scoreItems } from '../lib/model/score.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { describeModel, loadModel, parameterCount } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import type { Progress } from '../lib/pipeline/stage.ts'
import type { Sample, Scores } from '../lib/report/scores.ts'

/** Scores one model: perplexity of the test split, four-ending items, and how it continues some prompts. */
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
      prompts: { type: 'array', items: { type: 'string', minLength: 1 }, default: [], description: 'to be continued' },
      generateTokens: { type: 'integer', minimum: 1, default: 24, description: 'at most, in a continuation' },
      temperature: { type: 'number', minimum: 0, default: 0, description: '0: the likeliest token always' },
      topK: { type: 'integer', minimum: 0, default: 0, description: 'likeliest tokens to draw from; 0: all' },
      seed: { type: 'integer', default: 1, description: 'of the continuations' },
      batch: { type: 'integer', minimum: 1, default: 8, description: 'rows at once' },
    },
  },
  in: ['model', 'tasks?', 'tokens'],
  out: ['scores'],
  async run({ with: params, in: from, out, engine: choice, ranOn, ...hooks }) {
    const tokens = readTokens(from.tokens)
    if (!tokens.ok) throw tokens.error
    const model = await loadModel(from.model)
    await checkVocabulary(from.model, model.config, tokens.value)
    const items = itemsOf(from.tasks, params.items)
    const engine = await openEngine(choice)
    ranOn(engine.device)
    const running = hold(engine, model)
    try {
      const measured = await measure(running, tokens.value, params, hooks)
      const scored = items.length > 0 ? await answer(running, from.model, items, params.batch, hooks) : null
      const scores: Scores = {
        model: describeModel(model.config),
        parameters: parameterCount(model.config),
        perplexity: { ...measured, split: 'test' },
        items: scored,
        samples: params.prompts.length > 0 ? await talk(running, from.model, tokens.value, params, hooks) : [],
        ...(scored ? { baselines: baselinesOf(items) } : {}),
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

function itemsOf(file: string | undefined, limit: number): readonly Item[] {
  if (file === undefined) return []
  const items = readItems(file)
  if (!items.ok) throw items.error
  return limit === 0 ? items.value : items.value.slice(0, limit)
}

const counting = ({ signal, progress }: Hooks, unit: string): ScoreHooks => ({
  signal,
  onProgress: (done, total) => progress({ done, total, unit }),
})

async function measure(
  model: Running,
  { splits }: Tokens,
  params: PerplexityOptions,
  hooks: Hooks,
): Promise<Perplexity> {
  const { context, batch, tokens } = params
  const options = { context, stride: params.stride === 0 ? context : params.stride, batch, tokens }
  const measured = await perplexity(model, splits.test, options, counting(hooks, 'rows'))
  hooks.log(`perplexity ${measured.value.toFixed(3)} of ${measured.tokens} tokens`)
  return measured
}

async function answer(model: Running, folder: string, items: readonly Item[], batch: number, hooks: Hooks) {
  const tokenizer = await loadTokenizer(folder)
  const { scores, cut } = await scoreItems(model, tokenizer, items, batch, counting(hooks, 'items'))
  if (cut > 0) hooks.log(`${cut} contexts lost their first tokens to fit the position table`)
  hooks.log(`acc ${scores.acc.toFixed(4)}, accNorm ${scores.accNorm.toFixed(4)} of ${scores.count} items`)
  return scores
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
