import type { Split } from '../data/tokens.ts'
import type { Packing, Window } from '../data/windows.ts'
import type { UnitRange } from '../util/unit-range.ts'
import { rowsOf } from './batches.ts'
import { CalibrationCount } from './calibration.ts'
import type { Calibration } from './calibration.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import { compileLikelihood, likelihood } from './likelihood.ts'
import type { LikelihoodShape, Likelihoods, Running, Scored } from './likelihood.ts'
import { copyOf, joinScores } from './token-scores.ts'
import type { TokenScores } from './token-scores.ts'

export interface PerplexityOptions extends Packing {
  /** Rows at once: of no effect on the result. */
  readonly batch: number
  /** Tokens of the stream that are used, from its beginning; 0 for all. */
  readonly tokens: number
}

export interface Perplexity extends Packing {
  /** exp(nll / tokens), per token. */
  readonly value: number
  /** Tokens predicted, each once: all but the stream's first, which nothing precedes. */
  readonly tokens: number
  /** Sum of the negative log-likelihoods, in nats. */
  readonly nll: number
  /**
   * The same sums by document of the stream, or, where there are fewer than 20 of these, by `context` tokens that follow
   * one another: tests resample them, and need that many.
   */
  readonly documents: readonly { readonly tokens: number; readonly nll: number }[]
  /** Of the same tokens. */
  readonly calibration: Calibration
}

/** Fewer documents than this are no sample to test by. */
const fewestDocuments = 20

export interface ScoreHooks {
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

/**
 * Perplexity of a stream cut into rows of `context` tokens, each row `stride` after the one before; a row scores only
 * what no earlier row has scored. Throws Failure CONTEXT_TOO_LONG, PACKING_INVALID.
 */
export async function perplexity(
  model: Running,
  split: Split,
  options: PerplexityOptions,
  hooks: ScoreHooks,
): Promise<Perplexity> {
  const work = cutRows(model.config, split, options)
  return perplexityOf(work, await scoreRows(model, work, { from: 0, to: work.batches }, hooks))
}

/** The rows of a stream, cut for scoring. */
export interface RowWork {
  readonly ids: Split['ids']
  readonly documents: Split['documents']
  readonly rows: readonly Window[]
  readonly packing: Packing
  readonly shape: LikelihoodShape
  /** Of as many rows as the shape has, the last of fewer. */
  readonly batches: number
}

/** Throws Failure CONTEXT_TOO_LONG, PACKING_INVALID. */
export function cutRows(
  config: GptConfig,
  split: Split,
  { context, stride, batch, tokens: limit }: PerplexityOptions,
): RowWork {
  checkContext(config, context)
  const ids = limit > 0 ? split.ids.subarray(0, Math.max(limit, 2)) : split.ids
  const rows = rowsOf(split, { context, stride }, ids.length)
  const size = Math.min(batch, rows.length)
  const scored = split.rows === 'documents' ? size * context : context + (size - 1) * stride
  const shape = { rows: size, length: context, scored, tree: false, greedy: true }
  const { documents } = split
  return { ids, documents, rows, packing: { context, stride }, shape, batches: Math.ceil(rows.length / size) }
}

/** Scores the tokens of some batches, in the order of the rows. */
export async function scoreRows(
  model: Running,
  { ids, rows, shape }: RowWork,
  { from, to }: UnitRange,
  { signal, onProgress }: ScoreHooks,
): Promise<TokenScores> {
  const [size, context] = [shape.rows, shape.length]
  const [first, last] = [from * size, Math.min(to * size, rows.length)]
  const program = await compileLikelihood(model, shape)
  const found: Likelihoods[] = []
  try {
    for (let start = first; start < last; start += size) {
      signal.throwIfAborted()
      const some = rows.slice(start, start + size)
      const own = some.flatMap((window, row) => scoredOf(ids, window, row * context))
      found.push(copyOf(await likelihood(program, model.memory, tokensOf(ids, some, shape), own, shape)))
      onProgress(Math.min(start + size, last) - first, last - first)
      await new Promise(setImmediate)
    }
  } finally {
    await program.dispose()
  }
  return joinScores(found)
}

/** Of the scores of all batches. */
export function perplexityOf({ ids, documents, rows, packing }: RowWork, scores: TokenScores): Perplexity {
  const losses = new Float64Array(ids.length) // of the token at each place of the stream
  const calibration = new CalibrationCount()
  const places = rows.flatMap(({ start, length, fresh }) => range(start + fresh + 1, start + length + 1))
  places.forEach((place, i) => {
    losses[place] = -scores.logProbs[i]!
    calibration.add(Math.exp(scores.highest[i]!), scores.likeliest[i] === ids[place]!)
  })
  return { ...summarise(losses, documents, packing), calibration: calibration.result() }
}

function scoredOf(ids: Split['ids'], { start, length, fresh }: Window, offset: number): Scored[] {
  return range(fresh, length).map((t) => ({ source: offset + t, label: ids[start + t + 1]! }))
}

function tokensOf(ids: Split['ids'], some: readonly Window[], { rows, length: T }: LikelihoodShape) {
  const data = new Int32Array(rows * T)
  some.forEach(({ start, length }, row) => data.set(ids.subarray(start, start + length), row * T))
  return { tokens: { shape: [rows, T], data } }
}

function summarise(losses: Float64Array, starts: Uint32Array, packing: Packing): Omit<Perplexity, 'calibration'> {
  const bounds = boundsOf(losses.length, starts, packing.context)
  const documents = bounds.map((start, n) => {
    const own = losses.subarray(start, bounds[n + 1] ?? losses.length)
    return { tokens: own.length, nll: own.reduce((sum, loss) => sum + loss, 0) }
  })
  const tokens = losses.length - 1
  const nll = documents.reduce((sum, document) => sum + document.nll, 0)
  return { value: Math.exp(nll / tokens), tokens, nll, ...packing, documents }
}

/** Where documents, or blocks in their stead, begin among the tokens from 1 on, which are those predicted. */
function boundsOf(length: number, starts: Uint32Array, block: number): number[] {
  const documents = [...new Set(Array.from(starts, (start) => Math.max(start, 1)))].filter((start) => start < length)
  if (documents.length >= fewestDocuments) return documents
  return Array.from({ length: Math.ceil((length - 1) / block) }, (_, n) => 1 + n * block)
}

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
