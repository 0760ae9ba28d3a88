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

const [rows, length] = [2, 70]
const common = { vocabSize: 30, context: 96, width: 64, heads: 4, inner: 64, epsilon: 1e-5, tied: true, window: 9 }
const model = (architecture: GptConfig['architecture'], attention: readonly Attention[], sizes = {}): GptConfig => ({
  ...{ ...common, architecture, attention, layers: attention.length },
  ...sizes,
})

/** How many attentions of each are kernels of their own. */
const cases: Readonly<Record<string, readonly [GptConfig, kernels: number, documents?: true]>> = {
  'of GPT-2': [model('gpt2', ['global', 'global']), 2],
  'of GPT-Neo, with a window': [model('gpt_neo', ['global', 'local']), 2],
  'with heads that are too narrow': [model('gpt2', ['global'], { heads: 8 }), 0],
  'within documents': [model('gpt2', ['global']), 0, true],
}

/** Attention by kernels of its own, through a whole model and back, beside an engine that has none. */
export function testAttention(open: () => Promise<Engine>, precision: CudaPrecision, tolerance: number): void {
  let engines: Engine[]
  before(async () => void (engines = [await open(), await openEngine({ name: 'onnx-cpu', threads: 1 })]))
  after(() => Promise.all(engines.map((engine) => engine.dispose())))

  for (const [name, [config, kernels, documents]] of Object.entries(cases)) {
    it(`attends ${name}`, async () => {
      const graph = graphOf(config, documents)
      assert.equal(plan(graph, precision).calls.filter(isForward).length, kernels)
      const [found, expected] = await Promise.all(engines.map((engine) => run(engine, graph, config, documents)))
      for (const [output, { data }] of Object.entries(expected!)) near(output, found![output]!.data, data, tolerance)
    })
  }
}

const isForward = (call: ReturnType<typeof plan>['calls'][number]): boolean =>
  call.kind === 'launch' && call.nodes.some(({ op }) => op === 'attention')

const weightsOf = (config: GptConfig) =>
  new Map(
    [...initialise(config, 3).entries()].map(([name, value]): [string, TensorValue] => {
      // so that attention tells tokens apart
      return [name, name.includes('attn') ? { ...value, data: Float32Array.from(value.data, (x) => 4 * x) } : value]
    }),
  )

function graphOf(config: GptConfig, documents = false): Graph {
  const weight = weightState(config)
  const tokens = g.input('tokens', [rows, length], 'int32')
  const batch: Batch = documents ? { tokens, documents: g.input('documents', [rows, length], 'int32') } : { tokens }
  const hidden = gpt(config, weight, batch)
  const names = [...weightsOf(config).keys()]
  const loss = g.sum(g.square(g.sub(g.tanh(hidden), 0.5)))
  const gradients = g.grad(loss, names.map(weight))
  const named = names.map((name, i): [string, Tensor] => [`d ${name}`, gradients[i]!])
  return g.graph({ outputs: { hidden, ...Object.fromEntries(named) } })
}

async function run(engine: Engine, graph: Graph, config: GptConfig, documents = false) {
  const memory = engine.memory()
  for (const [name, value] of weightsOf(config)) memory.write(name, value)
  const program = await engine.compile(graph)
  const random = new Random(5)
  const ids = (most: number): TensorValue => ({
    shape: [rows, length],
    data: Int32Array.from({ length: rows * length }, () => random.below(most)),
  })
  const results = await program.run(
    { tokens: ids(config.vocabSize), ...(documents ? { documents: ids(2) } : {}) },
    memory,
  )
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
