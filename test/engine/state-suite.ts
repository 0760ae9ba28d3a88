import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Engine, Feed, TensorValue } from '../../lib/engine/index.ts'
import * as g from '../../lib/graph/index.ts'
import { fromHalf, toHalf } from '../../lib/util/half.ts'
import { noise } from './reference.ts'

export const floats = (shape: number[], seed: number): TensorValue => ({
  shape,
  data: Float32Array.from(noise(shape, seed).data),
})
const bytesOf = (value: TensorValue): string => Buffer.from(value.data.buffer).toString('hex')

/** Their bits, of a NaN that it is one: some processors set a bit of those that would signal. */
const quieted = (data: Float32Array): Uint32Array =>
  new Uint32Array(data.buffer).map((bits) => ((bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : bits))

/** What every engine does with state and feeds. */
export function testState(open: (threads: number) => Promise<Engine>): void {
  it('keeps state between runs, and gives it as it is', async () => {
    const engine = await open(2)
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
    const engine = await open(1)
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
    const engine = await open(1)
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

  it('takes halves to the very float32 that each is: subnormals, infinities and NaN', async () => {
    const engine = await open(1)
    const bits = Uint16Array.from({ length: 65536 }, (_, half) => half)
    const x = g.cast(g.input('x', [65536], 'float16'), 'float32')
    const program = await engine.compile(g.graph({ outputs: { x } }))
    const found = (await program.run({ x: { shape: [65536], data: bits } }))['x']!.data as Float32Array
    assert.deepEqual(quieted(found), quieted(fromHalf(bits)))
    await program.dispose()
  })

  it('takes state as halves, too', async () => {
    const engine = await open(1)
    const memory = engine.memory()
    const bits = Uint16Array.from({ length: 65536 }, (_, half) => half)
    memory.write('x', { shape: [256, 256], data: bits })
    const kept = await memory.read('x')
    assert.deepEqual([kept.shape, quieted(kept.data as Float32Array)], [[256, 256], quieted(fromHalf(bits))])
    const program = await engine.compile(
      g.graph({ outputs: { part: g.slice(g.state('x', [256, 256]), [1, 2], [1, 3]) } }),
    )
    const { part } = await program.run({}, memory)
    assert.deepEqual(part!.data, fromHalf(bits.subarray(258, 261)))
    await program.dispose()
  })

  it('computes the same bytes from halves as from their float32', async () => {
    const engine = await open(1)
    const halves = { shape: [3, 64, 8], data: toHalf(floats([3, 64, 8], 5).data as Float32Array) }
    const full = { ...halves, data: fromHalf(halves.data) }
    const bytes = async (x: g.Tensor, feed: Feed): Promise<string[]> => {
      const by = g.matmul(g.slice(x, [1, 8, 0], [1, 40, 8]), g.state('w', [8, 16]))
      const program = await engine.compile(
        g.graph({ outputs: { by, sum: g.sum(x, [1]), some: g.slice(x, [0, 3, 1], [2, 1, 4]) } }),
      )
      const memory = engine.memory()
      memory.write('w', floats([8, 16], 6))
      const { by: product, sum, some } = await program.run({ x: feed }, memory)
      await program.dispose()
      return [product!, sum!, some!].map(bytesOf)
    }
    assert.deepEqual(
      await bytes(g.cast(g.input('x', [3, 64, 8], 'float16'), 'float32'), halves),
      await bytes(g.input('x', [3, 64, 8]), full),
    )
  })

  it('refuses halves for float32, and float32 for halves', async () => {
    const engine = await open(1)
    const [full, half] = [g.input('full', [2]), g.input('half', [2], 'float16')]
    const program = await engine.compile(g.graph({ outputs: { sum: g.add(full, g.cast(half, 'float32')) } }))
    const [two, bits] = [floats([2], 1), { shape: [2], data: Uint16Array.of(1, 2) }]
    await assert.rejects(
      async () => program.run({ full: bits, half: bits }),
      /feed "full" is float16\[2\], expected float32\[2\]/,
    )
    await assert.rejects(
      async () => program.run({ full: two, half: two }),
      /feed "half" is float32\[2\], expected float16\[2\]/,
    )
    await program.dispose()
  })

  it('refuses a missing, a surplus and a misshapen feed, and misshapen state', async () => {
    const engine = await open(1)
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
}

/** Three steps of a small network with every kind of kernel that shares work among threads. */
export async function trainingBytes(engine: Engine): Promise<string[]> {
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
