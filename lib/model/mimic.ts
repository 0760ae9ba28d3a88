import type { TensorValue } from '../engine/engine.ts'
import type { GptConfig } from './config.ts'

/**
 * Makes new weights look a little like trained ones, after Trockman and Kolter 2023 (arXiv:2305.09828), so that a small
 * model finds within few tokens that what followed a word before may follow it again: keys start as the queries (like
 * attends to like; in a local layer all to all, nearly), the output projection as the values' transpose (what is read
 * is passed on), and positions as faint waves (Vaswani et al. 2017, 3.5).
 */
export function mimic(config: GptConfig, weights: ReadonlyMap<string, TensorValue>): void {
  const C = config.width
  const read = (name: string): Float32Array => weights.get(`transformer.${name}.weight`)!.data as Float32Array
  fillWaves(read('wpe'), C)
  for (let layer = 0; layer < config.layers; layer++) {
    const { q, k, v, output } = attentionOf(config, (name) => read(`h.${layer}.attn.${name}`))
    const scale = selfScore(config, layer) / meanSelfScore(config, q)
    for (let i = 0; i < C; i++) {
      for (let j = 0; j < C; j++) {
        q.data[q.at(i, j)]! *= Math.sqrt(scale)
        k.data[k.at(i, j)] = q.data[q.at(i, j)]!
        output.data[output.at(j, i)] = v.data[v.at(i, j)]!
      }
    }
  }
}

/** A (C, C) matrix (in, out) that may be columns of a wider one. */
interface Matrix {
  readonly data: Float32Array
  readonly at: (row: number, column: number) => number
}

function attentionOf(
  config: GptConfig,
  read: (name: string) => Float32Array,
): Record<'q' | 'k' | 'v' | 'output', Matrix> {
  const C = config.width
  const matrix = (name: string, columns = C, first = 0): Matrix => ({
    data: read(name),
    at: (row, column) => row * columns + first + column,
  })
  if (config.architecture === 'gpt2') {
    const third = (n: number): Matrix => matrix('c_attn', 3 * C, n * C)
    return { q: third(0), k: third(1), v: third(2), output: matrix('c_proj') }
  }
  const own = (name: string): Matrix => matrix(`attention.${name}`)
  return { q: own('q_proj'), k: own('k_proj'), v: own('v_proj'), output: own('out_proj') }
}

/** Score of a normed vector with itself: enough to be seen in a softmax, too little to shut out the rest. */
const selfScore = ({ attention }: GptConfig, layer: number): number => (attention[layer] === 'local' ? 0.1 : 1.6)

/** What it is on the average of heads while keys are the queries: Σ q² over a head's columns, scaled as GPT-2 does. */
function meanSelfScore({ architecture, width, heads }: GptConfig, q: Matrix): number {
  let squares = 0
  for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) squares += q.data[q.at(i, j)]! ** 2
  return squares / heads / (architecture === 'gpt2' ? Math.sqrt(width / heads) : 1)
}

/** Sines in even columns, cosines in odd ones, of wavelengths from 2π to 10,000 · 2π positions. */
function fillWaves(data: Float32Array, width: number): void {
  for (let i = 0; i < data.length; i++) {
    const [position, column] = [Math.floor(i / width), i % width]
    const angle = position / 10_000 ** ((column - (column % 2)) / width)
    data[i] = 0.02 * (column % 2 === 0 ? Math.sin(angle) : Math.cos(angle))
  }
}
