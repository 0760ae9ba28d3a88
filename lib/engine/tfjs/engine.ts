import type { Tensor } from '@tensorflow/tfjs-core'
import type { Graph, RunNode } from '../../graph/index.ts'
import { checkFeeds } from '../check.ts'
import type { Engine, Feeds, Program, TensorValue } from '../engine.ts'
import { checkPlaces, fedPlaces } from '../fed-places.ts'
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

/** What a backend's device needs beside TensorFlow.js. */
export interface Device {
  /** Throws Failure where it does not hold a tensor of the graph. */
  readonly admit: (graph: Graph) => void
  /** Throws what has gone wrong on it. */
  readonly check: () => void
  readonly dispose: () => Promise<void>
}

const plain: Device = { admit: () => undefined, check: () => undefined, dispose: () => Promise.resolve() }

/** A backend of TensorFlow.js, interpreting the graph op by op. `begin` makes it the current one and says what it runs on. */
export async function openTfjs(
  name: string,
  begin: (tf: Tf) => Promise<string>,
  device: Device = plain,
): Promise<Engine> {
  const tf = await import('@tensorflow/tfjs-core')
  tf.env().set('PROD', true) // else it greets on the console
  const about = await begin(tf)
  const running: Running = { tf, backend: tf.getBackend(), device }
  return {
    name,
    device: `${name}, ${about}`,
    memory: () => new TensorMemory(tf, device.check),
    compile: async (graph) => Promise.resolve(compile(running, graph)),
    dispose: device.dispose,
  }
}

export async function start(tf: Tf, backend: string): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its "${backend}" backend`)
}

interface Running {
  readonly tf: Tf
  readonly backend: string
  readonly device: Device
}

function compile(running: Running, graph: Graph): Program {
  running.device.admit(graph)
  const places = fedPlaces(graph)
  return {
    run: async (feeds, memory) => {
      checkFeeds(graph, feeds)
      checkPlaces(places, feeds)
      const { tf, device } = running
      const kept = graph.state.size + graph.updates.size > 0 ? tensorMemory(memory) : new TensorMemory(tf, device.check)
      return run(running, graph, feeds, kept)
    },
    dispose: () => Promise.resolve(),
  }
}

async function run(
  { tf, backend, device }: Running,
  graph: Graph,
  feeds: Feeds,
  memory: TensorMemory,
): Promise<Record<string, TensorValue>> {
  // Another engine may have been used since. A backend that has begun is the current one at once; nothing waits until all is computed.
  if (tf.getBackend() !== backend) void tf.setBackend(backend)
  const [outputs, updates] = tf.tidy(() => compute(tf, graph, leavesOf(tf, graph, feeds, memory)))
  try {
    const values = await Promise.all(outputs.map(download))
    device.check()
    ;[...graph.updates.keys()].forEach((name, i) => memory.put(name, updates[i]!))
    return Object.fromEntries([...graph.outputs].map(([name, { shape }], i) => [name, { ...values[i]!, shape }]))
  } catch (failure) {
    tf.dispose(updates)
    throw failure
  } finally {
    tf.dispose(outputs)
  }
}

/** The outputs and the updates, each a tensor of its own: two may be one node, or one a part of the old state. */
function compute(tf: Tf, graph: Graph, leaves: ReadonlyMap<RunNode, Tensor>): [Tensor[], Tensor[]] {
  const wanted = new Set([...graph.outputs.values(), ...graph.updates.values()])
  const values = interpret(tf, graph.nodes, leaves, wanted)
  const copies = (nodes: ReadonlyMap<string, RunNode>): Tensor[] =>
    [...nodes.values()].map((node) => tf.clone(values.get(node)!))
  return [copies(graph.outputs), copies(graph.updates)]
}

function leavesOf(tf: Tf, graph: Graph, feeds: Feeds, memory: TensorMemory): Map<RunNode, Tensor> {
  const leaves = new Map<RunNode, Tensor>()
  const put = (node: RunNode, value: Tensor): unknown =>
    leaves.set(node, node.dtype === 'bool' ? tf.cast(value, 'bool') : value)
  for (const [name, node] of graph.inputs) put(node, upload(tf, widened(feeds[name]!)))
  for (const [name, node] of graph.state) put(node, memory.tensor(name, node))
  return leaves
}
