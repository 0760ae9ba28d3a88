import { graph, matmul, mul, state, sum } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import { Failure } from '../util/failure.ts'
import type { Engine, Memory, Program } from './engine.ts'
import type { Precision } from './precision.ts'

/** Products in one run: what a run costs beside them is then little. */
const PRODUCTS = 4
/** Of the matrices' sides. The first is small enough for an engine of 0.1 GFLOP/s, the last feeds the fastest card. */
const [FIRST, STEP, LAST] = [64, 64, 8192]
/** Milliseconds of a run that the size is chosen for, and of all runs that are timed. */
const [RUN, RUNS] = [50, 250]

/** How far a sum over a product of PRODUCTS + 1 matrices may be off, as a share of the sums' root mean square. */
const tolerance = (precision: Precision): number => tolerances[precision]
const tolerances: Readonly<Record<Precision, number>> = { fp32: 1e-4, tf32: 0.02, bf16: 0.1, fp16: 0.02 }

/**
 * GFLOP/s of the engine's product of two square matrices, of a size at which that takes it some milliseconds. Throws
 * where a product is not what plain arithmetic in doubles gives.
 */
export async function measureProducts(engine: Engine, precision: Precision): Promise<number> {
  let size = FIRST
  let rate = await rateAt(engine, precision, size)
  for (let next = sizeFor(rate, size); next > 1.3 * size; next = sizeFor(rate, size)) {
    try {
      rate = await rateAt(engine, precision, next)
    } catch (error) {
      if (!(error instanceof Failure && tooLarge.includes(error.code))) throw error
      break // what the device holds was measured
    }
    size = next
  }
  return rate
}

const tooLarge: readonly string[] = ['TENSOR_TOO_LARGE', 'DEVICE_MEMORY']

/** Not too far from the last: a rate at a small size says little of a large one. */
function sizeFor(rate: number, last: number): number {
  const wanted = Math.cbrt((rate * 1e6 * RUN) / (2 * PRODUCTS))
  return Math.min(Math.floor(wanted / STEP) * STEP, 8 * last, LAST)
}

async function rateAt(engine: Engine, precision: Precision, size: number): Promise<number> {
  const memory = engine.memory()
  const [a, b] = [1, 2].map((seed) => uniform(seed, size * size)) as [Float32Array, Float32Array]
  const weights = uniform(3, size)
  const expected = expectedSums(a, b, weights)
  memory.write('a', { shape: [size, size], data: a })
  memory.write('b', { shape: [size, size], data: b })
  memory.write('weights', { shape: [size], data: weights })
  const program = await engine.compile(graph({ outputs: { sums: weightedRows(size) } }))
  try {
    const { sums } = await program.run({}, memory)
    compare(sums!.data, expected, tolerance(precision))
    return (PRODUCTS * 2 * size ** 3) / ((await timeOf(program, memory)) * 1e6)
  } finally {
    await program.dispose()
    memory.dispose()
  }
}

/** The median of runs after the first, which is over. */
async function timeOf(program: Program, memory: Memory): Promise<number> {
  const times: number[] = []
  for (let left = RUNS; left > 0 && times.length < 50; left -= times.at(-1)!) {
    const at = performance.now()
    await program.run({}, memory)
    times.push(performance.now() - at)
  }
  return times.sort((one, other) => one - other)[times.length >> 1]!
}

/** A·B·B·B·B, each row summed up with weights: every entry of every product counts, and few numbers come back. */
function weightedRows(size: number): Tensor {
  const [b, weights] = [state('b', [size, size]), state('weights', [size])]
  let product = state('a', [size, size])
  for (let i = 0; i < PRODUCTS; i++) product = matmul(product, b, { scale: keeping(size) })
  return sum(mul(product, weights), [1])
}

/** By it a product's entries are about as large as its factors'; a power of 2, so that no digit is lost. */
const keeping = (size: number): number => 2 ** -Math.round(Math.log2(Math.sqrt(size / 12)))

/** The same from right to left, matrix times vector (Freivalds 1977). */
function expectedSums(a: Float32Array, b: Float32Array, weights: Float32Array): Float64Array {
  let vector = Float64Array.from(weights)
  for (let i = 0; i < PRODUCTS; i++) vector = times(b, vector).map((entry) => entry * keeping(weights.length))
  return times(a, vector)
}

function times(matrix: Float32Array, vector: Float64Array): Float64Array {
  const size = vector.length
  return vector.map((_, row) => {
    let total = 0
    for (let i = 0, at = row * size; i < size; i++, at++) total += matrix[at]! * vector[i]!
    return total
  })
}

/** Throws where one is off by too much; a NaN is. */
function compare(found: Float32Array | Int32Array, expected: Float64Array, allowed: number): void {
  const rms = Math.sqrt(expected.reduce((total, entry) => total + entry * entry, 0) / expected.length)
  const wrong = expected.findIndex((entry, i) => !(Math.abs(found[i]! - entry) <= allowed * rms))
  if (wrong < 0) return
  const size = expected.length
  throw new Error(
    `it computes wrong: a sum over products of ${size} × ${size} came out as ${found[wrong]}, expected ${expected[wrong]}`,
  )
}

/** In [−0.5, 0.5), without pattern: products of zeros are faster. */
function uniform(seed: number, count: number): Float32Array {
  const values = new Float32Array(count)
  let state = seed
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0 // Numerical Recipes' generator; its high bits are good
    values[i] = (state >>> 8) / 2 ** 24 - 0.5
  }
  return values
}
