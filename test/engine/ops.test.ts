import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { interpret } from '../../lib/engine/tfjs/ops.ts'
import * as g from '../../lib/graph/index.ts'
import type { Graph, Tensor } from '../../lib/graph/index.ts'
import { rules } from '../../lib/graph/rules.ts'
import { cases } from './cases.ts'
import type { Case } from './cases.ts'
import { count, nd, noise, total } from './reference.ts'
import type { Nd } from './reference.ts'

// the package's main file registers no gradients, and this one has the form for bundlers: only require, by tsx, takes it
createRequire(import.meta.url)('@tensorflow/tfjs-core/dist/register_all_gradients')

const all = Object.entries(cases).flatMap(([op, list]) =>
  (list as readonly Case[]).map((one) => ({ name: `${op}: ${one.title}`, one })),
)
const kept = nd([3], [1, 2, 3])

describe('ops', () => {
  it('has a test for each op of the language', () => {
    assert.deepEqual(Object.keys(cases).sort(), Object.keys(rules).sort())
    for (const [op, list] of Object.entries(cases)) assert.ok(list.length > 0, `no case for "${op}"`)
  })

  for (const name of ['onnx-cpu', 'tfjs-cpu']) {
    describe(name, () => {
      let engine: Engine
      before(async () => void (engine = await openEngine({ name, threads: 2 })))
      after(() => engine.dispose())

      for (const { name: title, one } of all) {
        it(title, async () => {
          const results = await runCase(engine, one)
          close(results['y']!.data, one.expected(...one.inputs), 'value')
          for (const { index, gradient } of expectedGradients(one)) {
            close(results[`d${index}`]!.data, gradient, `derivative by input ${index}`, 2e-4)
          }
        })
      }
    })
  }

  describe("the derivatives of TensorFlow.js's own", () => {
    let engine: Engine
    before(async () => void (engine = await openEngine({ name: 'tfjs-cpu', threads: 1 })))

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
})

function floats({ inputs }: Case): number[] {
  return inputs.flatMap(({ dtype }, i) => (dtype === 'float32' ? [i] : []))
}

const leaves = ({ inputs }: Case): Tensor[] => inputs.map((x, i) => g.input(`x${i}`, x.shape, x.dtype))

/** The scalar that is differentiated: Σ value · weight, the weights without pattern. */
const weigh = (y: Tensor): Tensor => g.sum(g.mul(y, g.constant(weightsOf(y).map(Math.fround), y.shape)))
const weightsOf = ({ shape }: Pick<Tensor, 'shape'>): number[] => [...noise(shape, 77).data]

async function runCase(engine: Engine, one: Case): Promise<Record<string, TensorValue>> {
  const x = leaves(one)
  const y = one.build(...x)
  const outputs: Record<string, Tensor> = { y }
  if (!one.valuesOnly && y.dtype === 'float32') {
    const wrt = floats(one)
    g.grad(
      weigh(y),
      wrt.map((i) => x[i]!),
    ).forEach((dx, i) => (outputs[`d${wrt[i]!}`] = dx))
  }
  const graph = g.graph({ outputs })
  const program = await engine.compile(graph)
  const memory = engine.memory()
  memory.write('kept', value(kept))
  const feeds = one.inputs.map((x, i): [string, TensorValue] => [`x${i}`, value(x)])
  const results = await program.run(Object.fromEntries(feeds.filter(([name]) => graph.inputs.has(name))), memory)
  await program.dispose()
  memory.dispose()
  return results
}

function value({ shape, data, dtype }: Nd): TensorValue {
  return { shape, data: dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data) }
}

/** As the case says, or by central differences of its plain reference in double precision. */
function expectedGradients(one: Case): { index: number; gradient: readonly number[] }[] {
  if (one.valuesOnly) return []
  const y = one.build(...leaves(one))
  if (y.dtype !== 'float32') return []
  const weights = weightsOf(y)
  const given = one.gradients?.(weights, ...one.inputs)
  return floats(one).map((index, i) => ({ index, gradient: given?.[i] ?? differences(one, index, weights) }))
}

function differences(one: Case, index: number, weights: readonly number[]): number[] {
  const step = 1e-5
  const { data, shape } = one.inputs[index]!
  const moved = (k: number, by: number): number => {
    const changed = nd(
      shape,
      data.map((x, j) => (j === k ? x + by : x)),
    )
    const y = one.expected(...one.inputs.map((x, i) => (i === index ? changed : x)))
    return total(y.map((v, j) => v * weights[j]!))
  }
  return data.map((_, k) => (moved(k, step) - moved(k, -step)) / (2 * step))
}

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

function close(actual: ArrayLike<number>, expected: readonly number[], what: string, tolerance = 2e-5): void {
  assert.equal(actual.length, expected.length, `${what}: number of entries`)
  const scale = Math.max(1, ...expected.map((x) => (Number.isFinite(x) ? Math.abs(x) : 0)).map((x) => x * 0.1))
  expected.forEach((x, i) => {
    const error = Object.is(actual[i], x) || actual[i] === x ? 0 : Math.abs(actual[i]! - x)
    const allowed = tolerance * Math.max(scale, Math.abs(x))
    assert.ok(
      error <= allowed,
      `${what}: entry ${i} of ${count([expected.length])} is ${actual[i]!}, expected ${x} ± ${allowed}`,
    )
  })
}
