import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Engine, Memory, TensorValue } from '../../../lib/engine/index.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Tensor } from '../../../lib/graph/index.ts'
import type { Tolerance } from '../../model/reference-suite.ts'
import { fromHalf, toHalf } from '../../../lib/util/half.ts'
import { noise } from '../reference.ts'
import { trainingBytes } from '../state-suite.ts'

/**
 * Of products whose operands have 8 bits: each term is wrong by up to 2⁻⁸ of itself. Shares of the largest entry for
 * the models', whose sums are long.
 */
export const bfloat16: { readonly ops: { values: number; derivatives: number }; readonly models: Tolerance } = {
  ops: { values: 3e-2, derivatives: 3e-2 },
  models: { logits: 4e-2, loss: 2e-3, gradient: 1e-1, losses: 2e-3, norms: 6e-2, final: 2e-2 },
}

/** What only this engine does: kernels of many threads, shared rows, and updates in place. */
export function testCuda(open: () => Promise<Engine>): void {
  let engine: Engine
  before(async () => void (engine = await open()))
  after(() => engine.dispose())

  const run = async (outputs: Record<string, Tensor>, feeds: Record<string, TensorValue>) => {
    const program = await engine.compile(g.graph({ outputs }))
    const results = await program.run(feeds)
    await program.dispose()
    return results
  }
  const input = (shape: readonly number[]) => ({ node: g.input('x', shape), value: values(shape) })

  it('runs on what was fed ahead, and on nothing else', async () => {
    const [x, w] = [g.input('x', [3], 'float16'), g.input('w', [])]
    const sum = g.add(g.sum(g.cast(x, 'float32'), [0]), w)
    const program = await engine.compile(g.graph({ outputs: { sum } }))
    const fed = (one: number) => ({
      x: { shape: [3], data: toHalf(Float32Array.of(one, one, one)) },
      w: { shape: [], data: Float32Array.of(one) },
    })
    const of = async (results: Promise<Record<string, TensorValue>>) => (await results)['sum']!.data[0]
    const [one, two, three] = [fed(1), fed(2), fed(3)]
    const running = program.run(one)
    program.prefetch!(two)
    assert.equal(await of(running), 4)
    assert.equal(await of(program.run(two)), 8)
    two.w.data[0] = 5
    assert.equal(await of(program.run(two)), 11) // fed ahead once, for one run
    program.prefetch!(two)
    assert.equal(await of(program.run(three)), 12)
    assert.equal(await of(program.run(two)), 11)
    assert.throws(() => program.prefetch!({ x: one.x }), /the feed "w", float32\[\], is missing/)
    await program.dispose()
  })

  it('finds state that lies elsewhere than in the run before, and misses what is gone or of another shape', async () => {
    const w = g.state('w', [3])
    const program = await engine.compile(g.graph({ outputs: { twice: g.mul(w, 2) }, updates: { w: g.add(w, 1) } }))
    const [one, other] = [engine.memory(), engine.memory()]
    const put = (memory: Memory, name: string, value: number, shape = [3]): void =>
      memory.write(name, { shape, data: Float32Array.of(value, value, value) })
    const twice = async (memory: Memory) => (await program.run({}, memory))['twice']!.data[2]
    put(one, 'w', 1)
    put(other, 'w', 100)
    assert.deepEqual([await twice(one), await twice(one), await twice(other), await twice(one)], [2, 4, 200, 6])
    one.delete('w')
    await assert.rejects(async () => twice(one), /holds no "w"/)
    put(one, 'instead', 50)
    put(one, 'w', 7)
    assert.deepEqual([await twice(one), await twice(other), await twice(one)], [14, 202, 16])
    put(one, 'w', 1, [1, 3])
    await assert.rejects(async () => twice(one), /the state "w" is float32\[1,3\], expected float32\[3\]/)
    await program.dispose()
    one.dispose()
    other.dispose()
  })

  it('gives outputs as the halves that are nearest, ties to even', async () => {
    // each finite half, and of it and the next the middle and what lies just beside that
    const least = [...fromHalf(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits)), 65536]
    const sizes = least.slice(0, -1).flatMap((x, i) => {
      const middle = (x + least[i + 1]!) / 2
      return [x, middle, middle * (1 - 2 ** -23), middle * (1 + 2 ** -23)]
    })
    const data = Float32Array.from([...sizes, 1e9, Infinity, 1e-9, 1e-41].flatMap((x) => [x, -x]))
    const x = g.input('x', [data.length])
    const program = await engine.compileToHalves!(
      g.graph({ outputs: { x, twice: g.mul(x, 2) }, updates: { kept: g.mul(x, 3) } }),
    )
    const memory = engine.memory()
    const { x: found, twice } = await program.run({ x: { shape: [data.length], data } }, memory)
    assert.deepEqual(found!.data, toHalf(data))
    assert.deepEqual(twice!.data, toHalf(data.map((one) => 2 * one)))
    assert.deepEqual(
      (await memory.read('kept')).data,
      data.map((one) => 3 * one),
    )
    await program.dispose()
    memory.dispose()
    const nothing = await engine.compileToHalves!(g.graph({ outputs: { none: g.input('none', [2]) } }))
    const { none } = await nothing.run({ none: { shape: [2], data: Float32Array.of(NaN, -NaN) } })
    assert.ok(fromHalf(none!.data).every(Number.isNaN))
    await nothing.dispose()
  })

  it('gives each of several runs at once its own results, and is disposed of after the last', async () => {
    const x = g.input('x', [1000])
    const program = await engine.compile(g.graph({ outputs: { y: g.exp(x), sum: g.sum(x, [0]) } }))
    const fed = [1, 2, 3].map((seed) => ({ shape: [1000], data: Float32Array.from(noise([1000], seed).data) }))
    const found = fed.map((one) => program.run({ x: one }))
    await program.dispose()
    for (const [i, results] of found.entries()) {
      const { y } = await results
      near(y, [...fed[i]!.data].map(Math.exp), 1e-5)
    }
  })

  // a thread, a warp, a block of 256 and of 512 threads a row, the last round full or not; columns; and two stages where
  // rows are few
  for (const [rows, width] of [
    [3, 5],
    [600, 300],
    [600, 320],
    [3, 1000],
    [3, 2048],
    [2, 9001],
    [1, 65536],
    [40000, 3],
  ] as const) {
    it(`reduces ${rows} rows of ${width} and their columns`, async () => {
      const { node: x, value } = input([rows, width])
      const y = g.softmax(x)
      const { sum, max, columns, lowest, shares } = await run(
        { sum: g.sum(x, [1]), max: g.max(x, [1]), columns: g.sum(x, [0]), lowest: g.max(g.neg(x), [0]), shares: y },
        { x: value },
      )
      const at = (r: number, w: number): number => value.data[r * width + w]!
      const [everyRow, everyColumn] = [[...Array(rows).keys()], [...Array(width).keys()]]
      const total = (entries: readonly number[]): number => entries.reduce((a, b) => a + b, 0)
      const most = (entries: readonly number[]): number => entries.reduce((a, b) => Math.max(a, b), -Infinity)
      const rowOf = (r: number): number[] => everyColumn.map((w) => at(r, w))
      const columnOf = (w: number): number[] => everyRow.map((r) => at(r, w))
      near(
        sum,
        everyRow.map((r) => total(rowOf(r))),
        1e-5 * width,
      )
      near(
        max,
        everyRow.map((r) => most(rowOf(r))),
        0,
      )
      near(
        columns,
        everyColumn.map((w) => total(columnOf(w))),
        1e-5 * rows,
      )
      near(
        lowest,
        everyColumn.map((w) => most(columnOf(w).map((one) => -one))),
        0,
      )
      const powers = rowOf(rows - 1).map(Math.exp)
      near(
        { shape: [width], data: shares!.data.slice(-width) },
        powers.map((power) => power / total(powers)),
        1e-6,
      )
    })
  }

  it('computes entries of more than a million, and none beyond them', async () => {
    const shape = [2 ** 20 + 77]
    const { node: x, value } = input(shape)
    const { y } = await run({ y: g.add(g.mul(x, 2), 1) }, { x: value })
    near(
      y,
      Array.from(value.data, (one) => Math.fround(Math.fround(2 * one) + 1)),
      0,
    )
  })

  it('adds rows up by many equal ids, the same bytes each time', async () => {
    const [count, width, rows] = [700, 33, 11]
    const ids = {
      shape: [count],
      data: Int32Array.from({ length: count }, (_, i) => (Math.floor(i / 3) * 7) % (rows - 1)),
    }
    const { node: x, value } = input([count, width])
    const program = await engine.compile(
      g.graph({ outputs: { y: g.scatterAdd(g.input('ids', [count], 'int32'), x, rows) } }),
    )
    const [first, second] = [await program.run({ ids, x: value }), await program.run({ ids, x: value })]
    const expected = new Float32Array(rows * width) // in the order of the places, as it is promised
    for (let i = 0; i < count * width; i++)
      expected[ids.data[Math.floor(i / width)]! * width + (i % width)]! += value.data[i]!
    assert.deepEqual(first['y']!.data, expected)
    assert.deepEqual(second['y']!.data, expected)
    await program.dispose()
  })

  it('refuses an id outside of the table', async () => {
    const outputs = { y: g.gather(g.input('x', [4, 3]), g.input('ids', [2], 'int32')) }
    const program = await engine.compile(g.graph({ outputs }))
    const feeds = (id: number) => ({ x: values([4, 3]), ids: { shape: [2], data: Int32Array.of(1, id) } })
    for (const id of [4, -1]) await assert.rejects(program.run(feeds(id)), /an index lies outside/)
    await program.run(feeds(3))
    await program.dispose()
  })

  it('trades two states for each other, and reads both as they were', async () => {
    const [a, b] = [g.state('a', [300]), g.state('b', [300])]
    const memory = engine.memory()
    memory.write('a', { shape: [300], data: new Float32Array(300).fill(1) })
    memory.write('b', { shape: [300], data: new Float32Array(300).fill(2) })
    const updates = { a: b, b: a, c: g.add(a, g.mul(b, 10)), d: g.reshape(a, [3, 100]) }
    const program = await engine.compile(g.graph({ outputs: { a, twice: g.mul(a, 2) }, updates }))
    const { a: before, twice } = await program.run({}, memory)
    assert.deepEqual([before!.data[299], twice!.data[299]], [1, 2])
    const found = await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => (await memory.read(name)).data[299]))
    assert.deepEqual(found, [2, 1, 21, 1])
    memory.dispose()
    await program.dispose()
  })

  it('reads a state before it writes over it, in one kernel for two', async () => {
    const [a, x] = [g.state('a', [300]), g.input('x', [300])]
    const memory = engine.memory()
    memory.write('a', { shape: [300], data: new Float32Array(300).fill(10) })
    const program = await engine.compile(g.graph({ outputs: {}, updates: { a: g.mul(x, 3), b: g.add(a, x) } }))
    await program.run({ x: { shape: [300], data: new Float32Array(300).fill(1) } }, memory)
    assert.deepEqual([(await memory.read('a')).data[299], (await memory.read('b')).data[299]], [3, 11])
    memory.dispose()
    await program.dispose()
  })

  it('updates many states at once, each by what is its own', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `w${i}`)
    const size = 700 // some blocks each
    const memory = engine.memory()
    for (const [i, name] of names.entries())
      memory.write(name, { shape: [size], data: new Float32Array(size).fill(10 ** (i % 4)) })
    const plus = names.map((name): [string, Tensor] => [
      name,
      g.add(g.state(name, [size]), g.input(`d${name}`, [size])),
    ])
    const program = await engine.compile(g.graph({ outputs: {}, updates: Object.fromEntries(plus) }))
    const feeds = names.map((name, i): [string, TensorValue] => [
      `d${name}`,
      { shape: [size], data: Float32Array.from({ length: size }, (_, at) => i + at) },
    ])
    await program.run(Object.fromEntries(feeds), memory)
    for (const [i, name] of names.entries()) {
      const { data } = await memory.read(name)
      assert.deepEqual(
        data,
        Float32Array.from({ length: size }, (_, at) => 10 ** (i % 4) + i + at),
      )
    }
    memory.dispose()
    await program.dispose()
  })

  it('sums many up at once, to the bytes of each alone', async () => {
    const rows = Array.from({ length: 9 }, (_, i) => `x${i}`)
    const feeds = rows.map((name, i): [string, TensorValue] => [
      name,
      { shape: [640, 30], data: Float32Array.from(noise([640, 30], i + 1).data) },
    ])
    const parts = rows.map((name): [string, Tensor] => [name, g.sum(g.square(g.input(name, [640, 30])), [0])])
    const all = await run(Object.fromEntries(parts), Object.fromEntries(feeds))
    for (const [i, [name, sum]] of parts.entries()) {
      const alone = await run({ [name]: sum }, Object.fromEntries([feeds[i]!]))
      assert.deepEqual(all[name]!.data, alone[name]!.data)
    }
  })

  it('multiplies by state as it is now, whoever changed it', async () => {
    const [w, x] = [g.state('w', [520, 16]), g.input('x', [8, 520])]
    const memory = engine.memory()
    const filled = (value: number): TensorValue => ({ shape: [520, 16], data: new Float32Array(520 * 16).fill(value) })
    const [product, update] = await Promise.all(
      [{ outputs: { y: g.matmul(x, w) } }, { outputs: {}, updates: { w: g.mul(w, 2) } }].map((parts) =>
        engine.compile(g.graph(parts)),
      ),
    )
    const now = async (): Promise<number> => {
      const feeds = { x: { shape: [8, 520], data: new Float32Array(8 * 520).fill(0.5) } }
      return (await product!.run(feeds, memory))['y']!.data[3]!
    }
    memory.write('w', filled(1))
    assert.deepEqual([await now(), await now()], [260, 260])
    await update!.run({}, memory)
    assert.equal(await now(), 520)
    memory.write('w', filled(3))
    assert.equal(await now(), 780)
    memory.delete('w')
    memory.write('w', filled(4))
    assert.equal(await now(), 1040)
    const other = engine.memory()
    other.write('w', filled(5))
    const feeds = { x: { shape: [8, 520], data: new Float32Array(8 * 520).fill(0.5) } }
    assert.equal((await product!.run(feeds, other))['y']!.data[0], 1300)
    assert.equal(await now(), 1040)
    for (const one of [memory, other]) one.dispose()
    for (const program of [product!, update!]) await program.dispose()
  })

  it('gives the same bytes when a training is run again', async () => {
    assert.deepEqual(await trainingBytes(engine), await trainingBytes(engine))
  })
}

const values = (shape: readonly number[]): TensorValue => ({ shape, data: Float32Array.from(noise(shape, 5).data) })

function near(found: TensorValue | undefined, expected: readonly number[], tolerance: number): void {
  assert.equal(found?.data.length, expected.length)
  const worst = expected.findIndex((one, i) => !(Math.abs(found.data[i]! - one) <= tolerance))
  assert.ok(worst < 0, `entry ${worst} is ${found.data[worst]}, expected ${expected[worst]}`)
}
