import type * as OnnxRuntime from 'onnxruntime-node'
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import { graph as graphOf, input, matmul } from '../../graph/index.ts'
import type { Graph } from '../../graph/index.ts'
import { findAdapter } from '../adapter.ts'
import type { Adapter } from '../adapter.ts'
import { Failure } from '../../util/failure.ts'
import { checkFeeds, checkKind } from '../check.ts'
import type { Engine, Feeds, Memory, Program, TensorValue } from '../engine.ts'
import { checkPlaces, fedPlaces } from '../fed-places.ts'
import type { WebGpuPrecision } from '../precision.ts'
import { checkSizes } from '../tensor-sizes.ts'
import { widened } from '../widened.ts'
import { Copies } from './gpu-copies.ts'
import type { Location } from './gpu-copies.ts'
import { gpuMemory, GpuMemory } from './gpu-memory.ts'
import { GpuSession } from './gpu-session.ts'
import type { Results } from './gpu-session.ts'
import { halfDialect } from './half-products.ts'
import { writeModel } from './model.ts'
import type { OnnxModel } from './model.ts'
import type { Dialect } from './ops.ts'
import { fromOrt, toOrt } from './ort-tensor.ts'
import { webgpuDialect } from './webgpu-ops.ts'

type Runtime = typeof OnnxRuntime

/** What ONNX Runtime writes to standard error. */
const [errors, silent] = [3, 4] as const

/**
 * ONNX Runtime's WebGPU provider. The whole graph runs on the device, updates of state and all, and state stays there; sums by
 * row are added up in any order, so that the last bits of two runs may differ. Throws Failure `ENGINE_PRECISION` where the
 * device does not know halves. Its `compile` throws Failure `TENSOR_TOO_LARGE`, and a run `DEVICE_FAILED`.
 */
export async function openOnnxWebGpu(precision: WebGpuPrecision): Promise<Engine> {
  const adapter = await findAdapter()
  const runtime = await import('onnxruntime-node')
  const copies = new Copies(runtime, (model, location) => openSession(runtime, model, location))
  ;(await copies.toDevice({ shape: [], data: Float32Array.of(1) })).dispose() // throws where there is no device
  if (precision === 'fp16') await checkHalves(runtime, adapter)
  const opened = { runtime, copies, adapter, dialect: precision === 'fp16' ? halfDialect : webgpuDialect }
  return {
    name: 'onnx-webgpu',
    device: precision === 'fp16' ? `onnx-webgpu in fp16, ${adapter.name}` : `onnx-webgpu, ${adapter.name}`,
    memory: () => new GpuMemory(copies),
    compile: (graph) => compile(opened, graph),
    dispose: () => copies.dispose(),
  }
}

/** Throws Failure `ENGINE_PRECISION` where a product of halves cannot be computed: ONNX Runtime does not say so before it runs. */
async function checkHalves(runtime: Runtime, { name }: Adapter): Promise<void> {
  const one = input('x', [1, 1])
  const model = writeModel(graphOf({ outputs: { y: matmul(one, one) } }), halfDialect)
  const x = new runtime.Tensor('float32', Float32Array.of(1), [1, 1])
  const session = await openSession(runtime, model.bytes, 'cpu', silent)
  try {
    await session.run({ [model.inputs.get('x')!]: x })
  } catch (cause) {
    const message = `"onnx-webgpu" computes in fp16 where the device has WebGPU's shader-f16, and ${name} lacks it: choose another precision`
    throw new Failure('ENGINE_PRECISION', message, { cause })
  } finally {
    await session.release()
  }
}

interface Opened {
  readonly runtime: Runtime
  readonly copies: Copies
  readonly adapter: Adapter
  readonly dialect: Dialect
}

interface Compiled extends Pick<Opened, 'runtime' | 'copies'> {
  readonly graph: Graph
  readonly model: OnnxModel
  readonly session: GpuSession
  readonly places: ReturnType<typeof fedPlaces>
}

async function compile({ runtime, copies, adapter, dialect }: Opened, graph: Graph): Promise<Program> {
  checkSizes(graph, adapter)
  const model = writeModel(graph, dialect)
  const locations = new Map<string, Location>()
  for (const outer of model.outputs.values()) locations.set(outer, 'cpu')
  for (const outer of model.updates.values()) locations.set(outer, 'gpu-buffer')
  const session = await openSession(runtime, model.bytes, Object.fromEntries(locations))
  const compiled = { runtime, copies, graph, model, session, places: fedPlaces(graph) }
  return { run: (feeds, memory) => run(compiled, feeds, memory), dispose: () => session.release() }
}

async function openSession(
  { InferenceSession }: Runtime,
  model: Uint8Array,
  preferredOutputLocation: Location | Readonly<Record<string, Location>>,
  logSeverityLevel: typeof errors | typeof silent = errors,
): Promise<GpuSession> {
  const session = await InferenceSession.create(model, {
    executionProviders: ['webgpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel,
    preferredOutputLocation,
  })
  return new GpuSession(session)
}

async function run(compiled: Compiled, feeds: Feeds, given: Memory | undefined): Promise<Record<string, TensorValue>> {
  const { copies, graph, model, session } = compiled
  checkFeeds(graph, feeds)
  checkPlaces(compiled.places, feeds)
  const memory = graph.state.size + graph.updates.size > 0 ? gpuMemory(given) : new GpuMemory(copies)
  for (const [name, node] of graph.state) checkKind('state', name, node, memory.kind(name))
  const results = await session.run(await inputsOf(compiled, feeds, memory))
  const outputs = await bringOut(compiled, results)
  const owned = new Map([...new Set(model.updates.values())].map((outer) => [outer, session.own(results[outer]!)]))
  for (const [name, outer] of model.updates) {
    memory.put(name, owned.get(outer) ?? (await copies.again(results[outer]!)))
    owned.delete(outer)
  }
  return outputs
}

async function inputsOf({ runtime, model }: Compiled, feeds: Feeds, memory: GpuMemory): Promise<Results> {
  const inputs: Record<string, OrtTensor> = {}
  for (const [name, outer] of model.inputs) inputs[outer] = toOrt(runtime, widened(feeds[name]!))
  for (const [name, outer] of model.state) inputs[outer] = await memory.tensor(name)
  return inputs
}

/** Each output as an array of its own. */
async function bringOut({ copies, model }: Compiled, results: Results): Promise<Record<string, TensorValue>> {
  const outputs: Record<string, TensorValue> = {}
  const taken = new Set<string>()
  for (const [name, outer] of model.outputs) {
    const result = results[outer]!
    const value = result.location === 'cpu' ? fromOrt(result) : await copies.toHost(result)
    outputs[name] = taken.has(outer) ? { ...value, data: value.data.slice() } : value
    taken.add(outer)
  }
  return outputs
}
