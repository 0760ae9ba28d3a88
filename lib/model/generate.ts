import { Failure } from '../util/failure.ts'
import { Random } from '../util/random.ts'
import { checkFinite } from './likelihood.ts'
import type { Running } from './likelihood.ts'
import { Reader } from './reader.ts'

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

export interface GenerateHooks {
  readonly signal: AbortSignal
  /** Each new token as it is drawn. */
  readonly onToken?: (token: number) => void
}

/**
 * Continues each prompt (token ids, none empty), one after another, and returns the new tokens. A continuation depends on
 * its prompt, its place among the prompts and the seed alone. It never goes past the position table: a prompt that leaves
 * no room for as many tokens as are asked for is refused. Throws Failure PROMPT_EMPTY, PROMPT_TOO_LONG,
 * SCORE_NOT_FINITE.
 */
export async function generate(
  model: Running,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  hooks: GenerateHooks,
): Promise<number[][]> {
  if (prompts.length === 0) return []
  prompts.forEach((prompt, n) => checkPrompt(prompt, n, options.tokens, model.config.context))
  // the last token that is drawn is never read
  const reader = new Reader(model, Math.max(...prompts.map((prompt) => prompt.length)) + options.tokens - 1)
  try {
    const continuations: number[][] = []
    for (const [row, prompt] of prompts.entries()) {
      reader.restart()
      const random = new Random(options.seed, `continuation ${row}`)
      continuations.push(await continueOne(reader, prompt, options, random, hooks))
    }
    return continuations
  } finally {
    await reader.dispose()
  }
}

async function continueOne(
  reader: Reader,
  prompt: readonly number[],
  options: GenerateOptions,
  random: Random,
  { signal, onToken }: GenerateHooks,
): Promise<number[]> {
  const drawn: number[] = []
  for (let unread = prompt; drawn.length < options.tokens; unread = drawn.slice(-1)) {
    signal.throwIfAborted()
    const logits = await reader.read(unread)
    checkFinite(logits)
    const token = draw(logits.subarray(0, options.vocabSize), options, random)
    if (token === options.eos) break
    drawn.push(token)
    onToken?.(token)
    await new Promise(setImmediate)
  }
  return drawn
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
