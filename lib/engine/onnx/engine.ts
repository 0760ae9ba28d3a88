import type * as OnnxRuntime from 'onnxruntime-node'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { Graph, RunNode } from '../../graph/index.ts'
import { checkFeeds, checkValue } from '../check.ts'
import type { Engine, Feeds, Memory, Program, TensorValue } from '../engine.ts'
import { HostMemory, hostMemory } from '../host-memory.ts'
import { Kernels } from '../kernel/kernel.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { applyPatch, splitPatches } from '../kernel/patches.ts'
import type { Patch } from '../kernel/patches.ts'
import { isNumber, splitTails } from '../kernel/split.ts'
import type { Split, Tail } from '../kernel/split.ts'
import { fromOrt, toOrt } from './ort-tensor.ts'
import { writeModel } from './model.ts'
import { release } from './release.ts'
import type { OnnxModel } from './model.ts'

type Runtime = typeof OnnxRuntime

/** ONNX Runtime on the CPU. Same seed, same number of threads: same bytes. */
export async function openOnnxCpu(threads: number): Promise<Engine> {
  const runtime = await import('onnxruntime-node')
  const kernels = new Kernels()
  return {
    name: 'onnx-cpu',
    device: `onnx-cpu, ${threads} thread${threads === 1 ? '' : 's'}`,
    memory: () => new HostMemory(),
    compile: (graph) => compile(runtime, kernels, graph, threads),
    dispose: () => Promise.resolve(),
  }
}

interface Compiled {
  readonly runtime: Runtime
  readonly graph: Graph
  readonly split: Split
  readonly model: OnnxModel
  /** Undefined where nothing is left for it. */
  readonly session: InferenceSession | undefined
  readonly kernels: readonly Kernel[]
  readonly patches: readonly Patch[]
}

async function compile(runtime: Runtime, kernels: Kernels, graph: Graph, threads: number): Promise<Program> {
  const { rest, patches } = splitPatches(graph)
  const split = splitTails(rest)
  const model = writeModel(split.head)
  const idle = split.head.outputs.size + split.head.updates.size === 0
  const session = idle ? undefined : await openSession(runtime, model, threads)
  const made = split.tails.map((tail) => kernels.make(tail))
  const compiled = { runtime, graph, split, model, session, kernels: made, patches }
  return {
    run: (feeds, memory) => run(compiled, feeds, memory),
    dispose: async () => session?.release(),
  }
}

function openSession({ InferenceSession }: Runtime, model: OnnxModel, threads: number): Promise<InferenceSession> {
  return InferenceSession.create(model.bytes, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // its one block for all tensors would stand beside those of the first run, which the arena keeps
    enableMemPattern: false,
    // keeps what is freed, in holes that fit nothing large: beside a sum in place it would be as much again
    enableCpuMemArena: !model.inPlace,
  })
}

async function run(compiled: Compiled, feeds: Feeds, memory: Memory | undefined): Promise<Record<string, TensorValue>> {
  const { graph, model, split } = compiled
  checkFeeds(graph, feeds)
  const host = graph.state.size + graph.updates.size > 0 ? hostMemory(memory) : new HostMemory()
  for (const [name, node] of graph.state) checkValue('state', name, node, host.value(name))
  const results = await runHead(compiled, feeds, host)
  split.tails.forEach((tail, i) => runTail(compiled, tail, compiled.kernels[i]!, { feeds, host, results }))
  for (const patch of compiled.patches) runPatch(compiled, patch, host, results)
  const taken = new Set<string>()
  const take = (outer: string): TensorValue => {
    const value = fromOrt(results[outer]!)
    const first = !taken.has(outer)
    taken.add(outer)
    return first ? value : { ...value, data: value.data.slice() } // two owners of one array would see each other's writes
  }
  for (const [name, outer] of model.updates) host.write(name, take(outer))
  const outputs = [...graph.outputs.keys()].map((name) => [name, take(model.outputs.get(name)!)] as const)
  const left = Object.keys(results).filter((outer) => !taken.has(outer))
  await release(left.map((outer) => fromOrt(results[outer]!).data as Float32Array<ArrayBuffer>))
  return Object.fromEntries(outputs)
}

type Results = Readonly<Record<string, OrtTensor>>

async function runHead({ runtime, model, session }: Compiled, feeds: Feeds, host: HostMemory): Promise<Results> {
  const given: Record<string, OrtTensor> = {}
  for (const [name, outer] of model.inputs) given[outer] = toOrt(runtime, feeds[name]!)
  for (const [name, outer] of model.state) given[outer] = toOrt(runtime, host.value(name))
  return session ? session.run(given) : {}
}

interface Sources {
  readonly feeds: Feeds
  readonly host: HostMemory
  readonly results: Results
}

function runTail({ split, model }: Compiled, tail: Tail, kernel: Kernel, { feeds, host, results }: Sources): void {
  const arrays = new Map<RunNode, Float32Array>()
  for (const leaf of tail.leaves) {
    if (isNumber(leaf)) continue
    if (leaf.op === 'input') arrays.set(leaf, floats(feeds[leaf.attributes.name]!.data))
    else if (leaf.op !== 'state') arrays.set(leaf, floats(results[model.outputs.get(split.taps.get(leaf)!)!]!.data))
    else arrays.set(leaf, floats(host.value(leaf.attributes.name).data))
  }
  const targets = tail.updates.map(([name, { shape }]) => {
    if (!host.has(name)) host.write(name, { shape, data: new Float32Array(tail.size) })
    return floats(host.value(name).data)
  })
  kernel(arrays, targets)
}

/** After the tails, which read what the state was. */
function runPatch({ model }: Compiled, patch: Patch, host: HostMemory, results: Results): void {
  const output = (name: string): TensorValue['data'] => fromOrt(results[model.outputs.get(name)!]!).data
  applyPatch(patch, host.value(patch.name).data, output(patch.part), output(patch.start)[0]!)
}

function floats(data: unknown): Float32Array {
  if (data instanceof Float32Array) return data
  throw new Error('Internal error: a kernel was given something else than float32')
}
