import type { CudaPrecision } from '../../../lib/engine/precision.ts'
import { unitOf } from '../../../lib/engine/cuda/kernels.ts'
import { plan } from '../../../lib/engine/cuda/plan.ts'
import type { Engine } from '../../../lib/engine/index.ts'
import type { Graph } from '../../../lib/graph/index.ts'
import { adamW } from '../../../lib/model/optimizer.ts'
import { compileAccumulate, compileApply, compileStep } from '../../../lib/model/steps.ts'
import type { StepShape } from '../../../lib/model/steps.ts'
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
export async function trainingGraphs(rows = 8): Promise<Graph[]> {
  const sizes = { vocabSize: 50257, context: 1024, width: 768, layers: 2, heads: 12, inner: 3072, window: 256 }
  const config = { architecture: 'gpt2', attention: ['global', 'local'], epsilon: 1e-5, tied: true, ...sizes } as const
  const common = { rows, context: 1024, chunk: 1024, optimizer: adamW, clip: 1 }
  const shape: StepShape = { config, teacher: { kind: 'hidden', head: [50257, 2560], objective: plainKl }, ...common }
  return graphsBy(async (engine) => {
    for (const compile of [compileStep, compileAccumulate, compileApply]) await compile(engine, shape)
  })
}

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
