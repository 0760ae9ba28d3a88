import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine, Memory, TensorValue } from '../../lib/engine/index.ts'
import { splitPatches } from '../../lib/engine/kernel/patches.ts'
import { splitTails } from '../../lib/engine/kernel/split.ts'
import * as g from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import { noise } from './reference.ts'

const vector = (size: number, seed: number): TensorValue => ({
  shape: [size],
  data: Float32Array.from(noise([size], seed).data),
})
const number = (value: number): TensorValue => ({ shape: [], data: Float32Array.of(value) })

/** AdamW of one weight, as an optimizer writes it down. */
function adamW(size: number): g.Graph {
  const [w, m, v] = ['w', 'm', 'v'].map((name) => g.state(name, [size])) as [Tensor, Tensor, Tensor]
  const dw = g.grad(g.sum(g.tanh(g.mul(w, g.input('x', [size])))), [w])[0]!
  const clipped = g.mul(dw, g.minimum(g.div(0.5, g.sqrt(g.sum(g.square(dw)))), 1))
  const newM = g.add(g.mul(m, 0.9), g.mul(clipped, 0.1))
  const newV = g.add(g.mul(v, 0.999), g.mul(g.square(clipped), 0.001))
  const rate = g.input('rate', [])
  const step = g.mul(g.div(newM, g.add(g.sqrt(newV), 1e-8)), rate)
  const updates = { w: g.sub(g.mul(w, g.sub(1, g.mul(rate, 0.01))), step), m: newM, v: newV }
  return g.graph({ outputs: { norm: g.sqrt(g.sum(g.square(dw))) }, updates })
}

const engineNamed = (name: string): Promise<Engine> => openEngine({ name, threads: 2 })

async function filled(engine: Engine, values: Readonly<Record<string, TensorValue>>): Promise<Memory> {
  const memory = engine.memory()
  for (const [name, { shape, data }] of Object.entries(values)) memory.write(name, { shape, data: data.slice() })
  return Promise.resolve(memory)
}

describe('kernels', () => {
  for (const size of [1, 3, 5, 8192, 8195, 20_001]) {
    it(`update ${size} elements as the other engine does`, async () => {
      const graph = adamW(size)
      const positive = { shape: [size], data: vector(size, 3).data.map(Math.abs) }
      const start = { w: vector(size, 1), m: vector(size, 2), v: positive }
      const states: Record<string, number[]>[] = []
      for (const name of ['onnx-cpu', 'tfjs-cpu']) {
        const engine = await engineNamed(name)
        const memory = await filled(engine, start)
        const program = await engine.compile(graph)
        for (let i = 0; i < 3; i++) await program.run({ x: vector(size, 4), rate: number(0.01) }, memory)
        states.push({ w: await list(memory, 'w'), m: await list(memory, 'm'), v: await list(memory, 'v') })
      }
      for (const name of ['w', 'm', 'v']) {
        states[0]![name]!.forEach((x, i) => {
          const expected = states[1]![name]![i]!
          assert.ok(Math.abs(x - expected) < 1e-5, `${name}[${i}] is ${x}, expected ${expected}`)
        })
      }
    })
  }

  it('take the whole of AdamW, and share one pass among its three tensors', () => {
    const { head, tails } = splitTails(adamW(8))
    assert.equal(tails.length, 1)
    assert.deepEqual(tails[0]!.updates.map(([name]) => name).sort(), ['m', 'v', 'w'])
    assert.equal(head.updates.size, 0)
    assert.deepEqual([...head.state.keys()], ['w'])
  })

  it('exchange two states by their old values', async () => {
    const engine = await engineNamed('onnx-cpu')
    const [a, b] = [g.state('a', [5]), g.state('b', [5])]
    const program = await engine.compile(g.graph({ outputs: {}, updates: { a: g.add(b, 1), b: g.mul(a, 2) } }))
    const memory = await filled(engine, {
      a: { shape: [5], data: Float32Array.of(1, 2, 3, 4, 5) },
      b: { shape: [5], data: Float32Array.of(10, 20, 30, 40, 50) },
    })
    await program.run({}, memory)
    assert.deepEqual(await list(memory, 'a'), [11, 21, 31, 41, 51])
    assert.deepEqual(await list(memory, 'b'), [2, 4, 6, 8, 10])
  })

  it('add up into state, and empty it', async () => {
    const engine = await engineNamed('onnx-cpu')
    const sum = g.state('sum', [6])
    const adds = await engine.compile(g.graph({ outputs: {}, updates: { sum: g.add(sum, g.input('x', [6])) } }))
    const applies = await engine.compile(
      g.graph({ outputs: {}, updates: { w: g.sub(g.state('w', [6]), sum), sum: g.zeros([6]) } }),
    )
    const memory = await filled(engine, { sum: { shape: [6], data: new Float32Array(6) }, w: vector(6, 1) })
    await adds.run({ x: vector(6, 2) }, memory)
    await adds.run({ x: vector(6, 2) }, memory)
    await applies.run({}, memory)
    assert.deepEqual(await list(memory, 'sum'), [0, 0, 0, 0, 0, 0])
    const expected = vector(6, 1).data.map((x, i) => x - 2 * vector(6, 2).data[i]!)
    assert.deepEqual(await list(memory, 'w'), [...expected])
  })

  it('never change two states at once: an array goes by one name', async () => {
    const memory = await filled(await engineNamed('onnx-cpu'), {})
    const shared = { shape: [3], data: Float32Array.of(1, 2, 3) }
    memory.write('a', shared)
    memory.write('a', shared)
    assert.throws(() => memory.write('b', shared), /Internal error: "b" would share the array of "a"/)
  })

  it('leave what an output shows to the runtime', async () => {
    const engine = await engineNamed('onnx-cpu')
    const next = g.add(g.state('a', [3]), 1)
    const program = await engine.compile(g.graph({ outputs: { next }, updates: { a: next, twice: g.mul(next, 2) } }))
    const memory = await filled(engine, { a: { shape: [3], data: Float32Array.of(1, 2, 3) } })
    const { next: shown } = await program.run({}, memory)
    await program.run({}, memory)
    assert.deepEqual([...shown!.data], [2, 3, 4])
    assert.deepEqual(await list(memory, 'a'), [3, 4, 5])
    assert.deepEqual(await list(memory, 'twice'), [6, 8, 10])
  })
})

const list = async (memory: Memory, name: string): Promise<number[]> => [...(await memory.read(name)).data]

describe('patches', () => {
  const [old, part, start] = [g.state('old', [3, 8]), g.input('part', [3, 1]), g.input('start', [], 'int32')]
  const grown = g.dynamicUpdateSlice(old, g.mul(part, 2), start, 1)

  it('take what replaces a part of its own state: the part alone is left to be computed', () => {
    const { rest, patches } = splitPatches(g.graph({ outputs: {}, updates: { old: grown } }))
    assert.deepEqual(
      patches.map(({ name }) => name),
      ['old'],
    )
    assert.equal(rest.updates.size, 0)
    assert.deepEqual(
      [...rest.outputs.values()].map(({ shape }) => shape),
      [[3, 1], []],
    )
  })

  const others: Readonly<Record<string, g.Graph>> = {
    'is wanted elsewhere too': g.graph({ outputs: { sum: g.sum(grown) }, updates: { old: grown } }),
    'is an output too': g.graph({ outputs: { grown }, updates: { old: grown } }),
    'becomes another state': g.graph({ outputs: {}, updates: { other: grown } }),
    'is of two states': g.graph({ outputs: {}, updates: { old: grown, other: grown } }),
  }
  for (const [what, graph] of Object.entries(others)) {
    it(`leave alone what ${what}`, async () => {
      assert.deepEqual(splitPatches(graph).patches, [])
      const found: unknown[] = []
      for (const name of ['onnx-cpu', 'tfjs-cpu']) {
        const engine = await engineNamed(name)
        const memory = await filled(engine, { old: { shape: [3, 8], data: vector(24, 1).data } })
        const feeds = { part: { shape: [3, 1], data: vector(3, 2).data }, start: { shape: [], data: Int32Array.of(5) } }
        await (await engine.compile(graph)).run(feeds, memory)
        found.push(await Promise.all([...graph.updates.keys()].map((state) => list(memory, state))))
      }
      assert.deepEqual(found[0], found[1])
    })
  }
})
