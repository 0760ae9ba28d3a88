import type * as TensorFlow from '@tensorflow/tfjs-core'
import type { Graph, RunNode } from '../../graph/index.ts'
import { checkFeeds } from '../check.ts'
import type { Engine, Feeds, Program, TensorValue } from '../engine.ts'
import { widened } from '../widened.ts'
import { tensorMemory, TensorMemory } from './memory.ts'
import { interpret } from './ops.ts'
import type { Tf } from './ops.ts'
import { download, upload } from './transfer.ts'

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
  const backend = tf.getBackend()
  return {
    name,
    device,
    memory: () => new TensorMemory(tf),
    compile: (graph) => Promise.resolve(compile(tf, backend, graph)),
    dispose: () => Promise.resolve(),
  }
}

export async function start(tf: Tf, backend: string): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its "${backend}" backend`)
}

function compile(tf: Tf, backend: string, graph: Graph): Program {
  return {
    run: async (feeds, memory) => {
      checkFeeds(graph, feeds)
      if (tf.getBackend() !== backend) await start(tf, backend) // another engine was opened since
      const kept = graph.state.size + graph.updates.size > 0 ? tensorMemory(memory) : new TensorMemory(tf)
      return run(tf, graph, feeds, kept)
    },
    dispose: () => Promise.resolve(),
  }
}

function run(tf: Tf, graph: Graph, feeds: Feeds, memory: TensorMemory): Record<string, TensorValue> {
  const outputs: Record<string, TensorValue> = {}
  const updates: [string, TensorFlow.Tensor][] = []
  tf.tidy(() => {
    const values = interpret(tf, graph.nodes, leavesOf(tf, graph, feeds, memory))
    for (const [name, node] of graph.outputs) outputs[name] = { ...download(values.get(node)!), shape: node.shape }
    // a tensor of its own for each name: two may be one node, or one a part of the old state
    for (const [name, node] of graph.updates) updates.push([name, tf.keep(tf.clone(values.get(node)!))])
  })
  for (const [name, value] of updates) memory.put(name, value)
  return outputs
}

function leavesOf(tf: Tf, graph: Graph, feeds: Feeds, memory: TensorMemory): Map<RunNode, TensorFlow.Tensor> {
  const leaves = new Map<RunNode, TensorFlow.Tensor>()
  const put = (node: RunNode, value: TensorFlow.Tensor): unknown =>
    leaves.set(node, node.dtype === 'bool' ? tf.cast(value, 'bool') : value)
  for (const [name, node] of graph.inputs) put(node, upload(tf, widened(feeds[name]!)))
  for (const [name, node] of graph.state) put(node, memory.tensor(name, node))
  return leaves
}
