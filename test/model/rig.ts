import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { TestContext } from 'node:test'
import { readSafetensors } from '../../lib/data/safetensors.ts'
import { makeSplit } from '../../lib/data/tokens.ts'
import type { RowCut, Split } from '../../lib/data/tokens.ts'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { graph } from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import type { Objective } from '../../lib/model/losses.ts'
import { isOutIn, transposed } from '../../lib/model/weights.ts'
import type { StoredModel } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'

export type Values = Readonly<Record<string, TensorValue>>
type Numbers = ArrayLike<number>

export const fixtures = join(import.meta.dirname, '..', 'fixtures', 'model')

/** One engine a test file, one thread. */
export const engine: Engine = await openEngine({ name: process.env['TEST_ENGINES'] ?? 'onnx-cpu', threads: 1 })
after(() => engine.dispose())

/** A folder that is gone after the tests of this file. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'model-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The tensors of a safetensors file, or of the folder of a model in one. */
export function tensorsOf(path: string): Map<string, TensorValue> {
  const read = readSafetensors(path.endsWith('.safetensors') ? path : join(path, 'model.safetensors'))
  assert.ok(read.ok)
  const { names, tensor } = { names: read.value.names, tensor: read.value.tensor.bind(read.value) }
  return new Map(names.map((name) => [name, { shape: tensor(name).shape, data: tensor(name).data() }]))
}

export const int32 = ({ shape, data }: TensorValue): TensorValue => ({ shape, data: Int32Array.from(data) })
export const vector = (data: readonly number[]): TensorValue => ({
  shape: [data.length],
  data: Float32Array.from(data),
})
export const scalar = (value: number): TensorValue => ({ shape: [], data: Float32Array.of(value) })
export const ids = (shape: readonly number[], data: readonly number[]): TensorValue => ({
  shape,
  data: Int32Array.from(data),
})

/** For who gives them away and still looks at them. */
export const copied = (values: ReadonlyMap<string, TensorValue>): Map<string, TensorValue> =>
  new Map([...values].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]))

/** Runs a graph of these outputs once. */
export async function evaluate(
  outputs: Readonly<Record<string, Tensor>>,
  feeds: Values,
  state: ReadonlyMap<string, TensorValue> = new Map(),
  on: Engine = engine,
): Promise<Values> {
  const memory = on.memory()
  for (const [name, value] of copied(state)) memory.write(name, value)
  const program = await on.compile(graph({ outputs }))
  try {
    return await program.run(feeds, memory)
  } finally {
    await program.dispose()
    memory.dispose()
  }
}

/** Fails where an entry differs by more than `tolerance` times the largest expected one; the difference is printed. */
export function assertClose(t: TestContext, what: string, found: Numbers, expected: Numbers, tolerance: number): void {
  assert.equal(found.length, expected.length, `${what}: length`)
  let [worst, at, size] = [0, 0, 0]
  for (let i = 0; i < expected.length; i++) {
    size = Math.max(size, Math.abs(expected[i]!))
    const difference = Math.abs(found[i]! - expected[i]!)
    if (!(difference <= worst)) [worst, at] = [difference, i]
  }
  const allowed = tolerance * size
  t.diagnostic(`${what}: largest difference ${worst.toExponential(1)}, allowed ${allowed.toExponential(1)}`)
  assert.ok(worst <= allowed, `${what}[${at}]: expected ${expected[at]}, found ${found[at]}, allowed ±${allowed}`)
}

/** KL(teacher ‖ student) alone, times T². */
export const plainKl: Objective = { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true }

/** A small model's shape. */
export const tiny = (over: Partial<GptConfig> = {}): GptConfig => ({
  architecture: 'gpt2',
  vocabSize: 13,
  context: 12,
  width: 8,
  layers: 2,
  heads: 2,
  inner: 16,
  attention: ['global', 'global'],
  window: 12,
  epsilon: 1e-5,
  tied: true,
  ...over,
})

export const tinyNeo = (over: Partial<GptConfig> = {}): GptConfig =>
  tiny({ architecture: 'gpt_neo', attention: ['global', 'local'], window: 3, ...over })

/** A stream of tokens in which each follows from the one before, but for some noise: there is something to learn. */
export function stream(length: number, vocabSize: number, seed = 1): Split {
  const random = new Random(seed, 'stream')
  const tokens = new Uint16Array(length)
  for (let i = 1; i < length; i++) {
    tokens[i] = random.uniform() < 0.2 ? random.below(vocabSize) : (tokens[i - 1]! * 5 + 3) % vocabSize
  }
  return splitOf(tokens, [0])
}

export const splitOf = (tokens: Uint16Array, starts: readonly number[], rows: RowCut = 'anywhere'): Split =>
  makeSplit(tokens, Uint32Array.from(starts), rows)

/** A model as if it lay in a file, from what it is in memory. */
export const asStored = (model: Omit<StoredModel, 'stored'>): StoredModel => ({
  ...model,
  stored: (name) => (isOutIn(model.config, name) ? transposed(model.weight(name)) : model.weight(name)),
})
