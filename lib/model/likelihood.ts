import type { Engine, Memory, Program, TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import {
  argMax,
  concat,
  gather,
  graph,
  input,
  logSoftmax,
  matmul,
  max,
  reshape,
  slice,
  takeAlong,
} from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import { gpt, headOf } from './gpt.ts'
import { loadInto, weightState } from './weights.ts'
import type { Model } from './weights.ts'

/** A model that an engine holds. Who makes it disposes of its memory. */
export interface Running {
  readonly engine: Engine
  readonly memory: Memory
  readonly config: GptConfig
}

export function hold(engine: Engine, { config, weights }: Omit<Model, 'digest'>): Running {
  const memory = engine.memory()
  loadInto(memory, weights)
  return { engine, memory, config }
}

// B rows · T tokens in a row · S scored tokens in all rows · C width · V vocabulary · K scored tokens in a chunk

export interface LikelihoodShape {
  readonly rows: number
  readonly length: number
  readonly scored: number
  /** Rows hold trees: positions, segments and documents are fed too. */
  readonly tree: boolean
  /** What is likeliest in the place of each scored token is told too, and how likely it is. */
  readonly greedy?: boolean
}

/** A token to score: it follows token `source` (row · T + column) of the rows. */
export interface Scored {
  readonly source: number
  readonly label: number
}

/** Tokens whose logits exist at once. */
const chunk = 512

/** Feeds: tokens (B, T), [positions, segments, documents (B, T)], sources and labels (S). Outputs: logProbs, [likeliest, highest] (S). */
export function compileLikelihood({ engine, config }: Running, shape: LikelihoodShape): Promise<Program> {
  const weight = weightState(config)
  const row = (name: string): Tensor => input(name, [shape.rows, shape.length], 'int32')
  const tree = shape.tree ? { positions: row('positions'), segments: row('segments'), documents: row('documents') } : {}
  const hidden = gpt(config, weight, { tokens: row('tokens'), ...tree }) // (B, T, C)
  const flat = reshape(hidden, [-1, config.width]) // (B·T, C)
  const sources = input('sources', [shape.scored], 'int32')
  const labels = input('labels', [shape.scored], 'int32')
  const [logProbs, likeliest, highest]: [Tensor[], Tensor[], Tensor[]] = [[], [], []]
  for (let start = 0; start < shape.scored; start += chunk) {
    const part = (ids: Tensor): Tensor => slice(ids, [start], [Math.min(chunk, shape.scored - start)]) // (K)
    const logits = matmul(gather(flat, part(sources)), headOf(config, weight), { transposeB: true }) // (K, V)
    const all = logSoftmax(logits) // (K, V)
    logProbs.push(takeAlong(all, part(labels)))
    if (!shape.greedy) continue
    likeliest.push(argMax(logits))
    highest.push(max(all, [1]))
  }
  const greedy = shape.greedy ? { likeliest: concat(likeliest, 0), highest: concat(highest, 0) } : {}
  return engine.compile(graph({ outputs: { logProbs: concat(logProbs, 0), ...greedy } }))
}

/** Of scored tokens, in their order. */
export interface Likelihoods {
  /** Natural logarithms of their probabilities. */
  readonly logProbs: ArrayLike<number>
  /** Ids of the likeliest tokens in their places; none where the shape does not ask for them. */
  readonly likeliest: ArrayLike<number>
  /** Natural logarithms of these tokens' probabilities; none where the shape does not ask for them. */
  readonly highest: ArrayLike<number>
}

/** Throws Failure SCORE_NOT_FINITE. */
export async function likelihood(
  program: Program,
  memory: Memory,
  rows: Readonly<Record<string, TensorValue>>,
  scored: readonly Scored[],
  shape: LikelihoodShape,
): Promise<Likelihoods> {
  const [sources, labels] = [new Int32Array(shape.scored), new Int32Array(shape.scored)]
  scored.forEach(({ source, label }, i) => {
    sources[i] = source
    labels[i] = label
  })
  const vector = (data: Int32Array): TensorValue => ({ shape: [shape.scored], data })
  const feeds = { ...rows, sources: vector(sources), labels: vector(labels) }
  const { logProbs, likeliest, highest } = await program.run(feeds, memory)
  const own = (all: TensorValue | undefined): ArrayLike<number> => all?.data.subarray(0, scored.length) ?? []
  const found = { logProbs: own(logProbs), likeliest: own(likeliest), highest: own(highest) }
  checkFinite(found.logProbs)
  return found
}

/** Of log-probabilities or logits. Throws Failure SCORE_NOT_FINITE. */
export function checkFinite(values: ArrayLike<number>): void {
  if (Array.prototype.every.call(values, Number.isFinite)) return
  const message = 'The model gives a token a probability that is no number. Its weights are damaged: make it again.'
  throw new Failure('SCORE_NOT_FINITE', message, { exitCode: 1 })
}
