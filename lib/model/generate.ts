import type { Program, TensorValue } from '../engine/engine.ts'
import { gather, graph, input, matmul, reshape } from '../graph/index.ts'
import { Failure } from '../util/failure.ts'
import { Random } from '../util/random.ts'
import { gpt, headOf } from './gpt.ts'
import type { Running } from './likelihood.ts'
import { weightState } from './weights.ts'

export interface GenerateOptions {
  /** At most so many new tokens. */
  readonly tokens: number
  /** Divides the logits; 0 takes the likeliest token always. */
  readonly temperature: number
  /** Only the k likeliest tokens are drawn from, their probabilities scaled up to 1; 0 for all. */
  readonly topK: number
  /** Only the fewest likeliest tokens that make up this share are drawn from (Holtzman et al. 2020); 1 unless given. */
  readonly topP?: number
  readonly seed: number
  /** Ends a continuation, of which it is no part. */
  readonly eos: number
  /** Tokens that there are: the rows past them of an embedding made larger for speed are never drawn. */
  readonly vocabSize: number
}

/**
 * Continues each prompt (token ids, none empty) and returns the new tokens. A continuation depends on its prompt, its
 * place among the prompts and the seed alone. Throws Failure PROMPT_EMPTY, PROMPT_TOO_LONG.
 */
export async function generate(
  model: Running,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  signal: AbortSignal,
): Promise<number[][]> {
  if (prompts.length === 0) return []
  prompts.forEach((prompt, n) => checkPrompt(prompt, n, options.tokens, model.config.context))
  const T = Math.max(...prompts.map((prompt) => prompt.length)) + options.tokens
  const program = await compileNext(model, prompts.length, T)
  const rows = prompts.map((prompt) => [...prompt])
  const random = prompts.map((_, row) => new Random(options.seed, `continuation ${row}`))
  const open = new Set(rows.keys())
  try {
    for (let n = 0; n < options.tokens && open.size > 0; n++) {
      signal.throwIfAborted()
      const logits = await nextLogits(program, model, rows, T)
      for (const row of open) {
        const token = draw(logits[row]!.subarray(0, options.vocabSize), options, random[row]!)
        if (token === options.eos) open.delete(row)
        else rows[row]!.push(token)
      }
      await new Promise(setImmediate)
    }
  } finally {
    await program.dispose()
  }
  return rows.map((row, n) => row.slice(prompts[n]!.length))
}

/** Draws a token from softmax(logits / temperature), of the likeliest alone; of equal ones the first comes first. */
export function draw(
  logits: ArrayLike<number>,
  { temperature, topK, topP = 1 }: Pick<GenerateOptions, 'temperature' | 'topK' | 'topP'>,
  random: Random,
): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id
  if (temperature === 0) return best
  const ids = Array.from(logits, (_, id) => id)
  if (topK > 0 || topP < 1) ids.sort((a, b) => logits[b]! - logits[a]! || a - b)
  const likeliest = topK > 0 ? ids.slice(0, topK) : ids
  const all = likeliest.map((id) => Math.exp((logits[id]! - logits[best]!) / temperature))
  const shares = topP < 1 ? all.slice(0, enough(all, topP)) : all
  const drawn = reaching(shares, random.uniform() * sum(shares))
  return likeliest[drawn < 0 ? shares.length - 1 : drawn]!
}

const sum = (shares: readonly number[]): number => shares.reduce((total, share) => total + share, 0)

/** Where the running sum passes a value; -1 where rounding keeps it below. */
function reaching(shares: readonly number[], value: number): number {
  let left = value
  return shares.findIndex((share) => (left -= share) < 0)
}

/** How many of the shares, largest first, it takes to make up the share p of their sum; at least one. */
function enough(shares: readonly number[], p: number): number {
  let left = p * sum(shares)
  const last = shares.findIndex((share) => (left -= share) <= 0)
  return last < 0 ? shares.length : last + 1
}

function checkPrompt(prompt: readonly number[], n: number, tokens: number, context: number): void {
  if (prompt.length === 0) throw new Failure('PROMPT_EMPTY', `Prompt ${n + 1} has no token. Give it a text.`)
  if (prompt.length + tokens <= context) return
  const message = `Prompt ${n + 1} of ${prompt.length} tokens and ${tokens} new ones do not fit the model's position table of ${context}. Shorten the prompt or ask for fewer tokens.`
  throw new Failure('PROMPT_TOO_LONG', message)
}

/** Feeds: tokens (B, T), last (B). Output: logits (B, V) of what follows token `last` of the flattened rows. */
function compileNext({ engine, config }: Running, B: number, T: number): Promise<Program> {
  const weight = weightState(config)
  const hidden = gpt(config, weight, { tokens: input('tokens', [B, T], 'int32') }) // (B, T, C)
  const last = gather(reshape(hidden, [B * T, config.width]), input('last', [B], 'int32')) // (B, C)
  return engine.compile(graph({ outputs: { logits: matmul(last, headOf(config, weight), { transposeB: true }) } }))
}

/** Causal attention makes what stands after `last` irrelevant. */
async function nextLogits(
  program: Program,
  { memory, config }: Running,
  rows: readonly (readonly number[])[],
  T: number,
): Promise<TensorValue['data'][]> {
  const tokens = new Int32Array(rows.length * T)
  rows.forEach((row, n) => tokens.set(row, n * T))
  const last = Int32Array.from(rows, (row, n) => n * T + row.length - 1)
  const feeds = { tokens: { shape: [rows.length, T], data: tokens }, last: { shape: [rows.length], data: last } }
  const { logits } = await program.run(feeds, memory)
  const V = config.vocabSize
  return rows.map((_, n) => logits!.data.subarray(n * V, (n + 1) * V))
}
