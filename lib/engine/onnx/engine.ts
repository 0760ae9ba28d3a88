import type * as OnnxRuntime from 'onnxruntime-node'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { Graph, RunNode } from '../../graph/index.ts'
import { checkFeeds, checkValue } from '../check.ts'
import type { Engine, Memory, Program, TensorValue } from '../engine.ts'
import { HostMemory, hostMemory } from '../host-memory.ts'
import { writeModel } from './model.ts'
import type { OnnxModel } from './model.ts'

type Runtime = typeof OnnxRuntime

/** ONNX Runtime on the CPU. Same seed, same number of threads: same bytes. */
export async function openOnnxCpu(threads: number): Promise<Engine> {
  const runtime = await import('onnxruntime-node')
  return {
    name: 'onnx-cpu',
    device: `onnx-cpu, ${threads} thread${threads === 1 ? '' : 's'}`,
    memory: () => new HostMemory(),
    compile: (graph) => compile(runtime, graph, threads),
    dispose: () => Promise.resolve(),
  }
}

async function compile(runtime: Runtime, graph: Graph, threads: number): Promise<Program> {
  const model = writeModel(graph)
  const session = await runtime.InferenceSession.create(model.bytes, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  })
  return {
    run: (feeds, memory) => run({ runtime, graph, model, session }, feeds, memory),
    dispose: () => session.release(),
  }
}

interface Compiled {
  readonly runtime: Runtime
  readonly graph: Graph
  readonly model: OnnxModel
  readonly session: InferenceSession
}

async function run(
  { runtime, graph, model, session }: Compiled,
  feeds: Readonly<Record<string, TensorValue>>,
  memory: Memory | undefined,
): Promise<Record<string, TensorValue>> {
  checkFeeds(graph, feeds)
  const host = graph.state.size + graph.updates.size > 0 ? hostMemory(memory) : new HostMemory()
  const given: Record<string, OrtTensor> = {}
  for (const [name, outer] of model.inputs) given[outer] = toOrt(runtime, feeds[name]!)
  for (const [name, outer] of model.state) given[outer] = stateTensor(runtime, host, name, graph.state.get(name)!)
  const results = await session.run(given)
  const taken = new Set<string>()
  for (const [name, outer] of model.updates) {
    const value = fromOrt(results[outer]!)
    // two names for one tensor would be two owners of one buffer
    host.write(name, taken.has(outer) ? { ...value, data: value.data.slice() } : value)
    taken.add(outer)
  }
  return Object.fromEntries(
    [...model.outputs].map(([name, outer]) => {
      const value = fromOrt(results[outer]!)
      return [name, taken.has(outer) ? { ...value, data: value.data.slice() } : value]
    }),
  )
}

function stateTensor(runtime: Runtime, host: HostMemory, name: string, node: RunNode): OrtTensor {
  const value = host.value(name)
  checkValue('state', name, node, value)
  return toOrt(runtime, value)
}

function toOrt({ Tensor }: Runtime, { shape, data }: TensorValue): OrtTensor {
  return data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('int32', data, shape)
}

function fromOrt({ dims, data }: OrtTensor): TensorValue {
  if (data instanceof Float32Array || data instanceof Int32Array) return { shape: dims, data }
  throw new Error('Internal error: a result is neither float32 nor int32')
}
