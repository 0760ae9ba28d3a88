import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { plan } from '../../../lib/engine/cuda/plan.ts'
import type { CudaPrecision } from '../../../lib/engine/precision.ts'
import { openEngine } from '../../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../../lib/engine/index.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Graph, Tensor } from '../../../lib/graph/index.ts'
import type { Attention, GptConfig } from '../../../lib/model/config.ts'
import { gpt } from '../../../lib/model/gpt.ts'
import type { Batch } from '../../../lib/model/gpt.ts'
import { initialise, weightState } from '../../../lib/model/weights.ts'
import { Random } from '../../../lib/util/random.ts'
import { noise } from '../reference.ts'

const [rows, length, heads, width] = [2, 70, 4, 16]
const common = { vocabSize: 30, context: 96, width: heads * width, inner: 64, epsilon: 1e-5, tied: true, window: 9 }
const model = (architecture: GptConfig['architecture'], attention: readonly Attention[], sizes = {}): GptConfig => ({
  ...{ ...common, architecture, attention, heads, layers: attention.length },
  ...sizes,
})

/** What is fed beside the tokens, numbers from the first up to the second, which is not of them. */
const numbers = { documents: [0, 2], segments: [-1, 3], positions: [0, 70] } as const
type Told = keyof typeof numbers

/** How many attentions of each are kernels of their own. */
const cases: Readonly<Record<string, readonly [GptConfig, kernels: number, ...told: readonly Told[]]>> = {
  'of GPT-2': [model('gpt2', ['global', 'global']), 2],
  'of GPT-Neo, with a window': [model('gpt_neo', ['global', 'local']), 2],
  'with heads that are too narrow': [model('gpt2', ['global'], { heads: 8 }), 0],
  'within documents, all and with a window': [model('gpt2', ['global', 'local']), 2, 'documents'],
  'within segments and padding, all and with a window': [model('gpt_neo', ['global', 'local']), 2, 'segments'],
  'from positions, all and with a window of them': [model('gpt2', ['global', 'local']), 2, 'positions'],
  'within all of these': [model('gpt_neo', ['global', 'local']), 2, 'documents', 'segments', 'positions'],
}

/** Attention by kernels of its own, through a whole model and back, beside an engine that has none. */
export function testAttention(open: () => Promise<Engine>, precision: CudaPrecision, tolerance: number): void {
  let engines: Engine[]
  before(async () => void (engines = [await open(), await openEngine({ name: 'onnx-cpu', threads: 1 })]))
  after(() => Promise.all(engines.map((engine) => engine.dispose())))

  const forwards = (graph: Graph): number => plan(graph, precision).calls.filter(isForward).length
  const check = async (graph: Graph, feeds: Values, state: Values = {}): Promise<void> => {
    const [found, expected] = await Promise.all(engines.map((engine) => run(engine, graph, feeds, state)))
    for (const [output, { data }] of Object.entries(expected!)) near(output, found![output]!.data, data, tolerance)
  }

  for (const [name, [config, kernels, ...told]] of Object.entries(cases)) {
    it(`attends ${name}`, async () => {
      const graph = graphOf(config, told)
      assert.equal(forwards(graph), kernels)
      const random = new Random(5)
      const ids = ([from, end]: readonly [number, number]) => integers(() => from + random.below(end - from))
      const feeds = ['tokens', ...told].map((one) => [one, ids(one === 'tokens' ? [0, 30] : numbers[one as Told])])
      await check(graph, Object.fromEntries(feeds) as Values, weightsOf(config))
    })
  }

  it('attends to all of a row alike where a token sees nothing', async () => {
    const graph = g.graph({ outputs: attended({ allowed: g.and(causal, g.greater(row('seen'), 0)) }) })
    assert.equal(forwards(graph), 1)
    // of the second row, no token sees anything
    await check(graph, { ...tokens, seen: integers((i) => (i % length < 20 || i > length ? 0 : i)) })
  })

  it('attends to what each of several masks lets be seen, of the same queries and keys', async () => {
    const [by, window] = [g.equal(row('own'), column('own')), g.less(g.sub(i, j), 9)]
    const outputs = attended({
      all: causal,
      less: causal,
      own: g.and(causal, by),
      some: g.and(causal, window),
      any: by,
    })
    const graph = g.graph({ outputs })
    assert.equal(forwards(graph), 5)
    await check(graph, { ...tokens, own: integers((n) => n % 3) })
  })

  it('attends as a state says before it changes', async () => {
    const own = g.state('own', [rows, length], 'int32')
    const by = g.equal(g.reshape(own, row('').shape), g.reshape(own, column('').shape))
    const graph = g.graph({ outputs: attended({ by: g.and(causal, by) }), updates: { own: g.mul(own, 0) } })
    assert.equal(forwards(graph), 1)
    await check(graph, tokens, { own: integers((n) => n % 3) })
  })
}

type Values = Readonly<Record<string, TensorValue>>

/** (B, T) int32 */
const integers = (one: (place: number) => number): TensorValue => ({
  shape: [rows, length],
  data: Int32Array.from({ length: rows * length }, (_, place) => one(place)),
})

const i = g.iota([1, 1, length, length], 2)
const j = g.iota([1, 1, length, length], 3)
const causal = g.greaterEqual(i, j)
const numbersOf = (name: string): Tensor => g.input(name, [rows, length], 'int32')
const row = (name: string): Tensor => g.reshape(numbersOf(name), [rows, 1, 1, length])
const column = (name: string): Tensor => g.reshape(numbersOf(name), [rows, 1, length, 1])

const scales = [0.25, 0.125, 0.25, 0.125, 0.25]
const parts = ['q', 'k', 'v'] as const
const tokens: Values = Object.fromEntries(
  parts.map((name, n) => {
    const { shape, data } = noise([rows, length, heads, width], n + 1)
    return [name, { shape, data: Float32Array.from(data) }]
  }),
)

/** Attention under each mask, scaled on its own and computed anew for the gradients of what is made of all. */
function attended(masks: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const inputs = parts.map((name) => g.input(name, [rows, length, heads, width]))
  const [q, k, v] = inputs.map((x) => g.transpose(x, [0, 2, 1, 3])) as [Tensor, Tensor, Tensor]
  const values = Object.entries(masks).map(([name, allowed], n) => {
    const mask = g.where(allowed, g.constant(0), -1e9)
    const attend = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
      g.matmul(g.softmax(g.add(g.matmul(q, k, { transposeB: true, scale: scales[n]! }), mask)), v)
    return [name, g.recomputed([q, k, v], attend)] as const
  })
  const loss = values.map(([, y], n) => g.sum(g.square(g.sub(g.tanh(y), n + 1)))).reduce(g.add)
  const gradients = g.grad(loss, inputs).map((gradient, n) => [`d${parts[n]!}`, gradient] as const)
  return Object.fromEntries([...values, ...gradients])
}

const isForward = (call: ReturnType<typeof plan>['calls'][number]): boolean =>
  call.kind === 'launch' && call.nodes.some(({ op }) => op === 'attention')

const weightsOf = (config: GptConfig): Values =>
  Object.fromEntries(
    [...initialise(config, 3).entries()].map(([name, value]): [string, TensorValue] => {
      // so that attention tells tokens apart
      return [name, name.includes('attn') ? { ...value, data: Float32Array.from(value.data, (x) => 4 * x) } : value]
    }),
  )

function graphOf(config: GptConfig, told: readonly Told[]): Graph {
  const weight = weightState(config)
  const batch: Batch = { tokens: numbersOf('tokens'), ...Object.fromEntries(told.map((one) => [one, numbersOf(one)])) }
  const hidden = gpt(config, weight, batch)
  const names = Object.keys(weightsOf(config))
  const loss = g.sum(g.square(g.sub(g.tanh(hidden), 0.5)))
  const gradients = g.grad(loss, names.map(weight))
  const named = names.map((name, n): [string, Tensor] => [`d ${name}`, gradients[n]!])
  return g.graph({ outputs: { hidden, ...Object.fromEntries(named) } })
}

async function run(engine: Engine, graph: Graph, feeds: Values, state: Values): Promise<Values> {
  const memory = engine.memory()
  for (const [name, value] of Object.entries(state)) memory.write(name, value)
  const program = await engine.compile(graph)
  const results = await program.run(feeds, memory)
  await program.dispose()
  memory.dispose()
  return results
}

/** Within a share of the root of the mean square: single entries are sums that nearly cancel. */
function near(name: string, found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(found.length, expected.length)
  let [off, size] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    off += (found[i]! - expected[i]!) ** 2
    size += expected[i]! ** 2
  }
  const share = Math.sqrt(off / size)
  assert.ok(share <= tolerance, `${name}: ${share} off, at most ${tolerance} is allowed`)
}
