import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine } from '../../lib/engine/index.ts'
import * as g from '../../lib/graph/index.ts'
import { noise } from '../engine/reference.ts'
import { testOps } from '../engine/op-suite.ts'
import { testState } from '../engine/state-suite.ts'
import { testReference } from '../model/reference-suite.ts'
import { newFolder, stateAfter, taught, trained } from '../model/training.ts'
import { lossScaling } from '../../lib/model/loss-scale.ts'
import type { CurvePoint, Trained } from '../../lib/model/train.ts'

// Started by webgpu.test.ts, which brings the driver: the engine onnx-webgpu with precision fp16.

/**
 * Of products whose factors have 11 bits, and whose sums of 64 terms have, too: those are wrong by 0.11 % as a root mean
 * square, the factors add 0.05 %. The models' are shares of a tensor's largest entry.
 */
const tolerance = {
  ops: { values: 4e-3, derivatives: 4e-3 },
  models: { logits: 8e-3, loss: 5e-4, gradient: 4e-2, losses: 1e-3, norms: 5e-2, final: 1e-2 },
}

const open = (): Promise<Engine> => openEngine({ name: 'onnx-webgpu', threads: 1, precision: 'fp16' })

describe('onnx-webgpu in fp16', () => {
  describe('ops', () => {
    testOps(open, tolerance.ops)
  })

  describe('state', () => {
    testState(open)
  })

  describe('models', () => {
    testReference(open, tolerance.models)
  })

  describe('products', testProducts)
  describe('training', testTraining)
})

function testTraining(): void {
  let engine: Engine
  before(async () => void (engine = await open()))
  after(() => engine.dispose())

  const rate = { peak: 0.01, warmup: 2, decay: 'cosine', last: 0.1, steps: 30 } as const
  const setup = { ...taught, options: { ...taught.options, rate, validateEvery: 10, lossScaling } }

  it('comes out where float32 does', async (t) => {
    const [halves, full] = [await trained(setup, { engine }), await trained(setup)]
    const last = ({ points }: Trained): CurvePoint => points.at(-1)!
    const far = Math.abs(last(halves).validationLoss! - last(full).validationLoss!)
    const way = full.points[0]!.loss - last(full).loss
    t.diagnostic(`validation loss ${last(halves).validationLoss} after ${last(full).validationLoss} in float32`)
    for (const [i, { loss }] of halves.points.entries()) {
      const off = Math.abs(loss - full.points[i]!.loss)
      assert.ok(off < 2e-3 * full.points[0]!.loss, `step ${i + 1}: ${loss}, in float32 ${full.points[i]!.loss}`)
    }
    assert.ok(far < 0.005, `${far} nats apart`)
    assert.ok(way > 0.3, 'something was learnt')
    assert.equal(last(halves).skipped, 0)
  })

  it('leaves out updates that overflow, and comes out where float32 does all the same', async (t) => {
    const loud = { ...setup, options: { ...setup.options, lossScaling: { start: 2 ** 24, growAfter: 8 } } }
    const said: string[] = []
    const { points } = await trained(loud, { engine, log: (line) => said.push(line) })
    const full = await trained(setup)
    t.diagnostic(points.map(({ lossScale }) => Math.log2(lossScale!)).join(' '))
    assert.ok(points.at(-1)!.skipped! > 0, 'nothing overflowed')
    assert.match(said.join('\n'), /is left out: its gradient overflowed with the loss scaled by 16777216/)
    assert.ok(points.every(({ loss, gradNorm }) => Number.isFinite(loss) && Number.isFinite(gradNorm)))
    const lost = Math.abs(points.at(-1)!.validationLoss! - full.points.at(-1)!.validationLoss!)
    t.diagnostic(`${points.at(-1)!.skipped} left out, ${lost} nats from float32`)
    assert.ok(lost < 0.2) // with 8 updates of 30 less
  })

  it('goes on after it was stopped with the scale and the steps that were left out', async () => {
    const loud = { ...setup, options: { ...setup.options, lossScaling: { start: 2 ** 24, growAfter: 8 } } }
    const whole = await trained(loud, { engine })
    const folder = newFolder()
    await stateAfter(loud, 7, folder, engine)
    const resumed = await trained(loud, { engine, folder })
    assert.deepEqual(resumed.points, whole.points)
    assert.deepEqual(resumed.weights, whole.weights)
  })
}

function testProducts(): void {
  let engine: Engine
  before(async () => void (engine = await open()))
  after(() => engine.dispose())

  const product = async (left: Matrices, right: Matrices, scale = 1): Promise<ArrayLike<number>> => {
    const of = (name: string, { leading, rows, columns, turned }: Matrices): g.Tensor =>
      g.input(name, [...leading, ...(turned ? [columns, rows] : [rows, columns])])
    const flags = { transposeA: left.turned, transposeB: right.turned, scale }
    const program = await engine.compile(g.graph({ outputs: { y: g.matmul(of('a', left), of('b', right), flags) } }))
    const { y } = await program.run({ a: left.value, b: right.value })
    await program.dispose()
    return y!.data
  }

  for (const leading of [[], [2, 3]]) {
    for (const terms of [7, 64, 65, 100, 256, 1021]) {
      it(`of ${terms} terms, in a batch of [${leading.join()}], turned or not, are right to 0.15 %`, async (t) => {
        for (const [isLeft, isRight] of [
          [false, false],
          [false, true],
          [true, false],
          [true, true],
        ] as const) {
          // prettier-ignore
          const [left, right] = [matrices(leading, 18, terms, isLeft, 1), matrices(leading, terms, 21, isRight, 2)]
          const found = await product(left, right, 0.5)
          const expected = exact(left, right).map((x) => x / 2)
          const error = rms(expected.map((x, i) => x - found[i]!)) / rms(expected)
          t.diagnostic(`turned ${isLeft}, ${isRight}: ${error.toExponential(1)}`)
          assert.equal(found.length, expected.length)
          assert.ok(error < 1.5e-3, `turned ${isLeft}, ${isRight}: wrong by ${error}`)
        }
      })
    }
  }

  it('are of halves where something is added to them, too', async () => {
    const [x, one, bias] = [g.input('x', [1, 1]), g.input('one', [1, 1]), g.input('bias', [1])]
    const outputs = { biased: g.add(g.matmul(x, one), bias), sum: g.add(g.matmul(x, one), g.matmul(one, x)) }
    const program = await engine.compile(g.graph({ outputs }))
    const of = (value: number, shape: number[]) => ({ shape, data: Float32Array.of(value) })
    const found = await program.run({ x: of(1 + 2 ** -12, [1, 1]), one: of(1, [1, 1]), bias: of(0.5, [1]) })
    assert.deepEqual([found['biased']!.data[0], found['sum']!.data[0]], [1.5, 2]) // a half next to 1 is 1 + 2⁻¹⁰
  })

  it('add up more than 2,048 ones, where halves would stay at that', async () => {
    const ones = (rows: number, columns: number): Matrices => matrices([], rows, columns, false, 1, () => 1)
    const found = await product(ones(4, 4096), ones(4096, 4))
    assert.deepEqual(
      [...Array.from(found)],
      Array.from({ length: 16 }, () => 4096),
    )
  })

  it('of so many entries that not all their sums of 64 terms may be there at once are right, too', async () => {
    const [rows, terms, columns] = [4096, 130, 4100] // 32 MiB of halves for 64 terms each
    const left = matrices([], rows, terms, false, 3)
    const right = matrices([], terms, columns, true, 4)
    const found = await product(left, right)
    const [some, errors]: [number[], number[]] = [[], []]
    for (let n = 0; n < 1000; n++) {
      const [row, column] = [(n * 977) % rows, (n * 1409) % columns]
      const expected = dot(left, right, 0, row, column)
      some.push(expected)
      errors.push(found[row * columns + column]! - expected)
    }
    assert.ok(rms(errors) / rms(some) < 1.5e-3)
  })
}

/** As many of them as `leading` says, each of so many rows and columns, which lie in memory `turned` or not. */
interface Matrices {
  readonly leading: readonly number[]
  readonly rows: number
  readonly columns: number
  readonly turned: boolean
  readonly value: { readonly shape: readonly number[]; readonly data: Float32Array }
}

function matrices(
  leading: readonly number[],
  rows: number,
  columns: number,
  turned: boolean,
  seed: number,
  fill?: () => number,
): Matrices {
  const shape = [...leading, ...(turned ? [columns, rows] : [rows, columns])]
  const { data } = noise(shape, seed)
  return { leading, rows, columns, turned, value: { shape, data: Float32Array.from(fill ? data.map(fill) : data) } }
}

function entry({ rows, columns, turned, value }: Matrices, of: number, row: number, column: number): number {
  return value.data[of * rows * columns + (turned ? column * rows + row : row * columns + column)]!
}

/** In double precision. */
function dot(left: Matrices, right: Matrices, of: number, row: number, column: number): number {
  let sum = 0
  for (let k = 0; k < left.columns; k++) sum += entry(left, of, row, k) * entry(right, of, k, column)
  return sum
}

function exact(left: Matrices, right: Matrices): number[] {
  const count = left.leading.reduce((a, b) => a * b, 1)
  const all: number[] = []
  for (let of = 0; of < count; of++)
    for (let row = 0; row < left.rows; row++)
      for (let column = 0; column < right.columns; column++) all.push(dot(left, right, of, row, column))
  return all
}

const rms = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)
