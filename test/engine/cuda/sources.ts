import type { Attend } from '../../../lib/data/windows.ts'
import type { CudaPrecision } from '../../../lib/engine/precision.ts'
import { unitOf } from '../../../lib/engine/cuda/kernels.ts'
import { plan } from '../../../lib/engine/cuda/plan.ts'
import type { Engine } from '../../../lib/engine/index.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Graph, Tensor } from '../../../lib/graph/index.ts'
import { gpt } from '../../../lib/model/gpt.ts'
import { batchOf } from '../../../lib/model/hidden-pass.ts'
import { compileLikelihood } from '../../../lib/model/likelihood.ts'
import { adamW } from '../../../lib/model/optimizer.ts'
import { compileAccumulate, compileApply, compileStep } from '../../../lib/model/steps.ts'
import type { StepShape } from '../../../lib/model/steps.ts'
import { weightShapes, weightState } from '../../../lib/model/weights.ts'
import { plainKl } from '../../model/rig.ts'
import { all, graphOf } from '../op-suite.ts'

/** One text for the compiler with every kernel of these graphs, and their names. */
export function sourcesOf(graphs: readonly Graph[], precision: CudaPrecision): ReturnType<typeof unitOf> {
  const calls = graphs.flatMap((graph) => plan(graph, precision).calls)
  return unitOf([...new Set(calls.flatMap((call) => (call.kind === 'launch' ? [call.source.text] : [])))], precision)
}

/** The graphs of the suite of ops, with their derivatives. */
export const opGraphs = (): Graph[] => all.map(({ one }) => graphOf(one))

/** A training of GPT-2's width and vocabulary with a teacher, of two layers: its kernels are those of all twelve. */
export async function trainingGraphs(attend: Attend = 'row', rows = 8): Promise<Graph[]> {
  const sizes = { vocabSize: 50257, context: 1024, width: 768, layers: 2, heads: 12, inner: 3072, window: 256 }
  const config = { architecture: 'gpt2', attention: ['global', 'local'], epsilon: 1e-5, tied: true, ...sizes } as const
  const common = { rows, context: 1024, chunk: 1024, optimizer: adamW, clip: 1, attend }
  const shape: StepShape = { config, teacher: { kind: 'hidden', head: [50257, 2560], objective: plainKl }, ...common }
  return graphsBy(async (engine) => {
    for (const compile of [compileStep, compileAccumulate, compileApply]) await compile(engine, shape)
  })
}

const [rows, length] = [8, 1024]
const row = (name: string): Tensor => g.input(name, [rows, length], 'int32')
const sizes = { vocabSize: 300, context: length, width: 768, layers: 2, heads: 12, inner: 3072, window: 256 }
const config = { ...sizes, architecture: 'gpt_neo', attention: ['global', 'local'], epsilon: 1e-5, tied: true } as const

/** Models of two layers, all and with a window of 256, whose 1,024 tokens do not see all that is before them. */
export const maskedGraphs = {
  'a training within documents': () => trainingGraphs('document'),
  'a training within segments, from positions': () => {
    const [weight, names] = [weightState(config), [...weightShapes(config).keys()]]
    const batch = { tokens: row('tokens'), segments: row('segments'), positions: row('positions') }
    const gradients = g.grad(g.sum(g.square(gpt(config, weight, batch))), names.map(weight))
    return [g.graph({ outputs: Object.fromEntries(gradients.map((one, n) => [names[n]!, one])) })]
  },
  'a teacher within documents': () => {
    const batch = batchOf({ rows, length, attend: 'document' })
    return [g.graph({ outputs: { x: gpt(config, weightState(config), batch) } })]
  },
  'scores of trees': () =>
    graphsBy((engine) =>
      compileLikelihood({ engine, config, memory: undefined as never }, { rows, length, scored: 64, tree: true }),
    ),
} satisfies Record<string, () => readonly Graph[] | Promise<readonly Graph[]>>

/** What a function would have compiled. */
export async function graphsBy(body: (engine: Engine) => Promise<unknown>): Promise<Graph[]> {
  const graphs: Graph[] = []
  const never = (): never => {
    throw new Error('nothing runs here')
  }
  const compile: Engine['compile'] = (graph) => {
    graphs.push(graph)
    return Promise.resolve({ run: never, dispose: never })
  }
  await body({ name: 'none', device: 'none', memory: never, dispose: never, compile })
  return graphs
}
