import type { TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import { Random } from '../util/random.ts'
import type { GptConfig } from './config.ts'

// C width · D width of a head

type Matrix = readonly Float64Array[]

/** How much of what a layer reads is written back. */
const PASSED_ON = 0.8
/** Of queries and keys: what a wholly alike pair scores is D times its square. */
const SHARPNESS = 0.75

/**
 * Makes new weights start as an induction circuit (Olsson et al. 2022, "In-context learning and induction heads"), which
 * a model of this size does not find by itself within millions of tokens. A local layer writes the mean of its window
 * into a rotated copy of the residual stream (x += mean · M, M orthogonal): what was named just before. Of the heads of
 * the global layers after it
 * - the first half look where a token is what the copy here names, and read what was named there,
 * - the second half, in the first of these layers, look where the same was named, and read the token there,
 * - the second half, in later layers, look where a token is what is known here, and read what was named there.
 * What is read is written as it is, or turned back, straight to the logits of a tied head. Positions start as faint waves
 * (Vaswani et al. 2017, 3.5). Throws Failure START_INVALID where no global layer follows a local one.
 */
export function startInduction(config: GptConfig, seed: number, weights: ReadonlyMap<string, TensorValue>): void {
  const first = config.attention.indexOf('global', config.attention.indexOf('local'))
  if (config.attention.indexOf('local') < 0 || first < 0) {
    const message = `An induction start needs a local layer and a global one after it; the layers are ${config.attention.join(', ')}. Give \`architecture: gpt_neo\` and \`attention: [local, global]\`.`
    throw new Failure('START_INVALID', message)
  }
  const C = config.width
  const data = (name: string): Float32Array => weights.get(`transformer.${name}.weight`)!.data as Float32Array
  const random = new Random(seed, 'induction')
  const turn = orthogonal(random, C)
  const back = transposed(turn)
  data('wte').forEach((value, i, all) => (all[i] = 2.5 * value)) // as loud as what the local layer adds
  fillWaves(data('wpe'), C)
  for (let layer = 0; layer < config.layers; layer++) {
    const part = (name: string): Float32Array => data(`h.${layer}.attn.attention.${name}`)
    const values = orthogonal(random, C)
    const asIs = transposed(values)
    put(part('v_proj'), values, Math.sqrt(PASSED_ON))
    if (config.attention[layer] === 'local') {
      put(part('out_proj'), product(asIs, turn), Math.sqrt(PASSED_ON))
      // nearly even attention over the window
      for (const name of ['q_proj', 'k_proj']) part(name).forEach((value, i, all) => (all[i] = 0.15 * value))
      continue
    }
    const token = orthogonal(random, C)
    const named = product(back, token)
    const turned = product(asIs, back)
    put(part('q_proj'), layer === first ? named : halves(named, token), SHARPNESS)
    put(part('k_proj'), layer === first ? halves(token, named) : token, SHARPNESS)
    put(
      part('out_proj'),
      layer === first ? [...turned.slice(0, C / 2), ...asIs.slice(C / 2)] : turned,
      Math.sqrt(PASSED_ON),
    )
  }
}

/** The columns of the first half of the heads from one matrix, the others from another. */
const halves = (a: Matrix, b: Matrix): Matrix =>
  a.map((row, i) => row.map((value, column) => (column < row.length / 2 ? value : b[i]![column]!)))

/** Rows of a random orthogonal matrix: normal draws, made orthogonal one after the other (Gram and Schmidt). */
function orthogonal(random: Random, size: number): Matrix {
  const rows: Float64Array[] = []
  while (rows.length < size) {
    const row = Float64Array.from({ length: size }, () => random.normal())
    for (const other of rows) {
      const share = dot(row, other)
      row.forEach((value, k) => (row[k] = value - share * other[k]!))
    }
    const length = Math.sqrt(dot(row, row))
    rows.push(row.map((value) => value / length))
  }
  return rows
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0)

const transposed = (matrix: Matrix): Matrix => matrix.map((_, j) => Float64Array.from(matrix, (row) => row[j]!))

function product(a: Matrix, b: Matrix): Matrix {
  const columns = transposed(b)
  return a.map((row) => Float64Array.from(columns, (column) => dot(row, column)))
}

function put(into: Float32Array, matrix: Matrix, factor: number): void {
  matrix.forEach((row, i) => row.forEach((value, j) => (into[i * matrix.length + j] = value * factor)))
}

/** Sines in even columns, cosines in odd ones, of wavelengths from 2π to 10,000 · 2π positions. */
function fillWaves(data: Float32Array, width: number): void {
  for (let i = 0; i < data.length; i++) {
    const [position, column] = [Math.floor(i / width), i % width]
    const angle = position / 10_000 ** ((column - (column % 2)) / width)
    data[i] = 0.01 * (column % 2 === 0 ? Math.sin(angle) : Math.cos(angle))
  }
}
