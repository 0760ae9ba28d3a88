import { createRequire } from 'node:module'
import { before, describe, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine } from '../../lib/engine/index.ts'
import { interpret } from '../../lib/engine/tfjs/ops.ts'
import * as g from '../../lib/graph/index.ts'
import type { Graph } from '../../lib/graph/index.ts'
import type { Case } from './cases.ts'
import { tested } from './engines.ts'
import { all, close, floats, kept, leaves, runCase, weigh } from './op-suite.ts'

// the package's main file registers no gradients, and this one has the form for bundlers: only require, by tsx, takes it
createRequire(import.meta.url)('@tensorflow/tfjs-core/dist/register_all_gradients')

describe("the derivatives of TensorFlow.js's own", () => {
  let engine: Engine
  const name = tested.find((one) => one.startsWith('tfjs-')) ?? 'tfjs-cpu' // whose backend tf.grads computes on, too
  before(async () => void (engine = await openEngine({ name, threads: 1 })))

  for (const { name, one } of all.filter(({ one }) => !one.valuesOnly && !one.gradients && floats(one).length > 0)) {
    it(name, async () => {
      const results = await runCase(engine, one)
      oracle(one).forEach((gradient, i) => {
        const index = floats(one)[i]!
        close(results[`d${index}`]!.data, gradient, `derivative by input ${index}`)
      })
    })
  }
})

/** tf.grads of the forward graph alone: our derivatives have no part in it. */
function oracle(one: Case): (readonly number[])[] {
  const y = weigh(one.build(...leaves(one)))
  const graph = g.graph({ outputs: { y } })
  const wrt = floats(one)
  return tf.tidy(() => {
    const tensors = one.inputs.map((x) => tf.cast(tf.tensor([...x.data], [...x.shape]), x.dtype))
    const loss = (...given: tf.Tensor[]): tf.Scalar => {
      const moved = tensors.map((x, i) => (wrt.includes(i) ? given[wrt.indexOf(i)]! : x))
      const value = interpret(tf, graph.nodes, leafValues(graph, moved)).get(graph.outputs.get('y')!)!
      // tf.grads refuses what does not depend on all: 0 times each
      return tf.sum(given.reduce((sum, x) => tf.add(sum, tf.mul(tf.sum(x), 0)), value))
    }
    return tf
      .grads(loss)(wrt.map((i) => tensors[i]!))
      .map((dx) => [...dx.dataSync()])
  })
}

function leafValues(graph: Graph, tensors: readonly tf.Tensor[]): Map<g.RunNode, tf.Tensor> {
  const values = new Map<g.RunNode, tf.Tensor>()
  for (const [name, node] of graph.inputs) values.set(node, tensors[Number(name.slice(1))]!)
  for (const node of graph.state.values()) values.set(node, tf.tensor([...kept.data], [...kept.shape]))
  return values
}
