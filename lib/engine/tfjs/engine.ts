import type * as TensorFlow from '@tensorflow/tfjs-core'
import type { Graph, RunNode } from '../../graph/index.ts'
import { checkFeeds, checkValue } from '../check.ts'
import type { Engine, Feed, Feeds, Program, TensorValue } from '../engine.ts'
import { HostMemory, hostMemory } from '../host-memory.ts'
import { widened } from '../widened.ts'
import { interpret } from './ops.ts'
import type { Tf } from './ops.ts'

/** TensorFlow.js's plain JavaScript backend. */
export const openTfjsCpu = (): Promise<Engine> =>
  openTfjs('tfjs-cpu', async (tf) => {
    await import('@tensorflow/tfjs-backend-cpu')
    await start(tf, 'cpu')
    return '1 thread'
  })

/** A backend of TensorFlow.js, interpreting the graph op by op. `begin` makes it the current one and says what it runs on. */
export async function openTfjs(name: string, begin: (tf: Tf) => Promise<string>): Promise<Engine> {
  const tf = await import('@tensorflow/tfjs-core')
  tf.env().set('PROD', true) // else it greets on the console
  const device = `${name}, ${await begin(tf)}`
  return {
    name,
    device,
    memory: () => new HostMemory(),
    compile: (graph) => Promise.resolve(compile(tf, graph)),
    dispose: () => Promise.resolve(),
  }
}

export async function start(tf: Tf, backend: string): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its "${backend}" backend`)
}

function compile(tf: Tf, graph: Graph): Program {
  return {
    run: (feeds, memory) => {
      checkFeeds(graph, feeds)
      const host = graph.state.size + graph.updates.size > 0 ? hostMemory(memory) : new HostMemory()
      return Promise.resolve(run(tf, graph, feeds, host))
    },
    dispose: () => Promise.resolve(),
  }
}

function run(tf: Tf, graph: Graph, feeds: Feeds, memory: HostMemory): Record<string, TensorValue> {
  const outputs: Record<string, TensorValue> = {}
  const updates: [string, TensorValue][] = []
  tf.tidy(() => {
    const values = interpret(tf, graph.nodes, leavesOf(tf, graph, feeds, memory))
    const download = (node: RunNode): TensorValue => ({ shape: node.shape, data: readBack(values.get(node)!) })
    for (const [name, node] of graph.outputs) outputs[name] = download(node)
    for (const [name, node] of graph.updates) updates.push([name, download(node)])
  })
  for (const [name, value] of updates) memory.write(name, value)
  return outputs
}

function leavesOf(tf: Tf, graph: Graph, feeds: Feeds, memory: HostMemory): Map<RunNode, TensorFlow.Tensor> {
  const leaves = new Map<RunNode, TensorFlow.Tensor>()
  for (const [name, node] of graph.inputs) leaves.set(node, upload(tf, node, feeds[name]!))
  for (const [name, node] of graph.state) {
    const value = memory.value(name)
    checkValue('state', name, node, value)
    leaves.set(node, upload(tf, node, value))
  }
  return leaves
}

function upload(tf: Tf, node: RunNode, feed: Feed): TensorFlow.Tensor {
  const { shape, data } = widened(feed)
  const type = data instanceof Float32Array ? 'float32' : 'int32'
  return tf.cast(tf.tensor(data, [...shape], type), node.dtype === 'bool' ? 'bool' : type)
}

/** A copy: the backend may hand out the very array that it keeps. */
function readBack(value: TensorFlow.Tensor): Float32Array | Int32Array {
  const data = value.dataSync()
  return value.dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data)
}
