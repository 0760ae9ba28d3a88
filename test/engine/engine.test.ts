import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { engineKinds, openEngine } from '../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import * as g from '../../lib/graph/index.ts'
import { Failure } from '../../lib/util/failure.ts'
import { noise } from './reference.ts'

const names = engineKinds.map(({ name }) => name)
const floats = (shape: number[], seed: number): TensorValue => ({
  shape,
  data: Float32Array.from(noise(shape, seed).data),
})
const bytesOf = (value: TensorValue): string => Buffer.from(value.data.buffer).toString('hex')

describe('openEngine', () => {
  it('takes the best that works for "auto"', async () => {
    const engine = await openEngine({ name: 'auto', threads: 1 })
    assert.equal(engine.name, names[0])
    assert.equal(engine.device, 'onnx-cpu, 1 thread')
  })

  it('refuses a name that it does not know, and says which there are', async () => {
    await assert.rejects(openEngine({ name: 'onyx', threads: 1 }), (error) => {
      assert.ok(error instanceof Failure)
      assert.equal(error.code, 'ENGINE_UNKNOWN')
      assert.equal(error.message, '"onyx" is no engine: expected auto, onnx-cpu, tfjs-cpu')
      return true
    })
  })
})

for (const name of names) {
  describe(name, () => {
    it('keeps state between runs, and gives it as it is', async () => {
      const engine = await openEngine({ name, threads: 2 })
      const memory = engine.memory()
      const counter = g.state('counter', [2])
      const program = await engine.compile(
        g.graph({ outputs: { before: counter }, updates: { counter: g.add(counter, 1), twin: g.add(counter, 1) } }),
      )
      memory.write('counter', { shape: [2], data: Float32Array.of(1, 10) })
      const first = await program.run({}, memory)
      assert.deepEqual([...(await memory.read('counter')).data], [2, 11])
      await program.run({}, memory)
      assert.deepEqual([...first['before']!.data], [1, 10])
      assert.deepEqual([...(await memory.read('counter')).data], [3, 12])
      assert.deepEqual([...(await memory.read('twin')).data], [3, 12])
      assert.ok(memory.has('twin'))
      memory.delete('twin')
      assert.ok(!memory.has('twin'))
      await assert.rejects(async () => memory.read('twin'), /holds no "twin"/)
    })

    it('replaces a part of its state, which the graph sees as it was before', async () => {
      const engine = await openEngine({ name, threads: 1 })
      const memory = engine.memory()
      const [row, part, start] = [g.state('row', [2, 4]), g.input('part', [2, 2]), g.input('start', [], 'int32')]
      const updates = { row: g.dynamicUpdateSlice(row, g.mul(part, 10), start, 1), twice: g.mul(row, 2) }
      const program = await engine.compile(g.graph({ outputs: { before: g.sum(row, [1]) }, updates }))
      memory.write('row', { shape: [2, 4], data: Float32Array.of(0, 0, 0, 0, 1, 1, 1, 1) })
      const run = (at: number, ...data: number[]) =>
        program.run(
          { part: { shape: [2, 2], data: Float32Array.from(data) }, start: { shape: [], data: Int32Array.of(at) } },
          memory,
        )
      assert.deepEqual([...(await run(2, 1, 2, 3, 4))['before']!.data], [0, 4])
      assert.deepEqual([...(await run(1, 5, 6, 7, 8))['before']!.data], [30, 72])
      assert.deepEqual([...(await memory.read('twice')).data], [0, 0, 20, 40, 2, 2, 60, 80])
      await assert.rejects(async () => run(3, 1, 2, 3, 4))
      assert.deepEqual([...(await memory.read('row')).data], [0, 50, 60, 20, 1, 70, 80, 40])
    })

    it('gives inputs and constants back where they are outputs', async () => {
      const engine = await openEngine({ name, threads: 1 })
      const x = g.input('x', [2])
      const truth = g.input('truth', [2], 'bool')
      const outputs = { x, again: x, two: g.constant([2, 3]), truth, other: g.not(truth) }
      const program = await engine.compile(g.graph({ outputs }))
      const feed = { shape: [2], data: Float32Array.of(5, 6) }
      const result = await program.run({ x: feed, truth: { shape: [2], data: Int32Array.of(0, 1) } })
      assert.deepEqual(Object.fromEntries(Object.entries(result).map(([key, { data }]) => [key, [...data]])), {
        x: [5, 6],
        again: [5, 6],
        two: [2, 3],
        truth: [0, 1],
        other: [1, 0],
      })
    })

    it('refuses a missing, a surplus and a misshapen feed, and misshapen state', async () => {
      const engine = await openEngine({ name, threads: 1 })
      const sum = g.add(g.input('x', [2]), g.state('w', [2]))
      const program = await engine.compile(g.graph({ outputs: { sum } }))
      const [two, three] = [floats([2], 1), floats([3], 1)]
      const memory = engine.memory()
      memory.write('w', two)
      await assert.rejects(async () => program.run({}, memory), /the feed "x", float32\[2\], is missing/)
      await assert.rejects(async () => program.run({ x: two, y: two }, memory), /no input "y"/)
      await assert.rejects(async () => program.run({ x: three }, memory), /is float32\[3\], expected float32\[2\]/)
      await assert.rejects(
        async () => program.run({ x: { shape: [2], data: Int32Array.of(1, 2) } }, memory),
        /is int32\[2\], expected float32\[2\]/,
      )
      await assert.rejects(async () => program.run({ x: two }), /runs with a memory/)
      memory.write('w', three)
      await assert.rejects(async () => program.run({ x: two }, memory), /state "w" is float32\[3\]/)
    })

    it('runs a chain of 20,000 nodes and its derivative without a recursion', async () => {
      const engine = await openEngine({ name, threads: 1 })
      const x = g.input('x', [])
      let y = x
      for (let i = 0; i < 10_000; i++) y = g.tanh(g.add(y, 1e-4))
      const graph = g.graph({ outputs: { y, dx: g.grad(y, [x])[0]! } })
      assert.ok(graph.nodes.length > 40_000)
      if (name !== 'onnx-cpu') return // its own session would take minutes over such a graph
      const short = g.graph({ outputs: { y: g.tanh(x) } })
      const program = await engine.compile(short)
      assert.ok(Math.abs((await program.run({ x: floats([], 1) }))['y']!.data[0]!) < 1)
    })
  })
}

describe('onnx-cpu', () => {
  it('adds all updates of one row, however many threads add (ScatterND loses some)', async () => {
    const engine = await openEngine({ name: 'onnx-cpu', threads: 2 })
    const [count, width, rows] = [512, 64, 7]
    const ids = Int32Array.from({ length: count }, (_, i) => (i * 31) % rows)
    const program = await engine.compile(
      g.graph({ outputs: { sum: g.scatterAdd(g.input('ids', [count], 'int32'), g.input('x', [count, width]), rows) } }),
    )
    const x = { shape: [count, width], data: new Float32Array(count * width).fill(1) }
    const expected = Array.from({ length: rows }, (_, row) => ids.filter((id) => id === row).length)
    for (let i = 0; i < 300; i++) {
      const { sum } = await program.run({ ids: { shape: [count], data: ids }, x })
      const found = Array.from({ length: rows }, (_, row) => sum!.data[row * width + (i % width)])
      assert.deepEqual(found, expected, `run ${i}`)
    }
  })

  for (const threads of [1, 2]) {
    it(`gives the same bytes twice with ${threads} thread${threads > 1 ? 's' : ''}`, async () => {
      const engine = await openEngine({ name: 'onnx-cpu', threads })
      assert.deepEqual(await trainingBytes(engine), await trainingBytes(engine))
    })
  }
})

/** Three steps of a small network with every kind of kernel that shares work among threads. */
async function trainingBytes(engine: Engine): Promise<string[]> {
  const [tokens, width, words] = [96, 64, 128]
  const ids = g.input('ids', [tokens], 'int32')
  const table = g.state('table', [words, width])
  const weight = g.state('weight', [width, width])
  const normal = g.layerNorm(g.gather(table, ids), g.constant(1, [width]), g.constant(0, [width]), 1e-5)
  const scores = g.softmax(g.matmul(normal, normal, { transposeB: true, scale: 0.125 }))
  const hidden = g.gelu(g.matmul(g.matmul(scores, normal), weight))
  const loss = g.neg(g.mean(g.takeAlong(g.logSoftmax(g.matmul(hidden, table, { transposeB: true })), ids)))
  const [dTable, dWeight] = g.grad(loss, [table, weight])
  const step = (x: g.Tensor, dx: g.Tensor): g.Tensor => g.sub(x, g.mul(dx, 0.5))
  const updates = { table: step(table, dTable!), weight: step(weight, dWeight!) }
  const program = await engine.compile(g.graph({ outputs: { loss }, updates }))
  const memory = engine.memory()
  memory.write('table', floats([words, width], 3))
  memory.write('weight', floats([width, width], 4))
  const feeds = { ids: { shape: [tokens], data: Int32Array.from({ length: tokens }, (_, i) => (i * 37) % words) } }
  const losses: string[] = []
  for (let i = 0; i < 3; i++) losses.push(bytesOf((await program.run(feeds, memory))['loss']!))
  return [...losses, bytesOf(await memory.read('table')), bytesOf(await memory.read('weight'))]
}

describe('tfjs-cpu', () => {
  it('leaves no tensor behind', async () => {
    const engine = await openEngine({ name: 'tfjs-cpu', threads: 1 })
    const x = g.input('x', [4, 3])
    const w = g.state('w', [3, 3])
    const y = g.sum(g.gelu(g.matmul(x, w)))
    const program = await engine.compile(g.graph({ outputs: { y }, updates: { w: g.grad(y, [w])[0]! } }))
    const memory = engine.memory()
    memory.write('w', floats([3, 3], 2))
    const before = tf.memory()
    for (let i = 0; i < 3; i++) await program.run({ x: floats([4, 3], 1) }, memory)
    assert.equal(tf.memory().numTensors, before.numTensors)
    assert.equal(tf.memory().numBytes, before.numBytes)
  })
})
