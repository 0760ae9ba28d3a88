import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import { webgpuDialect } from '../../lib/engine/onnx/webgpu-ops.ts'
import { writeModel } from '../../lib/engine/onnx/model.ts'
import * as g from '../../lib/graph/index.ts'
import { Random } from '../../lib/util/random.ts'

/** Just so large that a sum is added onto in place. */
const [rows, width, between, count] = [2 ** 14, 2 ** 9, 3, 4]

/** Products of which the first operand is turned, the second, both or none, and what their sums read on the way. */
function sums(turns: readonly boolean[], size = rows): g.Graph {
  const [transposeA, transposeB] = turns as readonly [boolean, boolean]
  const products = Array.from({ length: count }, (_, i) => {
    const a = g.input(`a${i}`, transposeA ? [between, size] : [size, between])
    return g.matmul(a, g.input(`b${i}`, transposeB ? [width, between] : [between, width]), { transposeA, transposeB })
  })
  const [two, whole] = [products.slice(0, 2), products].map((some) => some.reduce((x, y) => g.add(x, y)))
  // read beside the next sum, which must not write over it before
  return g.graph({ outputs: { whole: whole!, early: g.sum(two!, [1]) } })
}

function noise(shape: readonly number[], name: string): { shape: readonly number[]; data: Float32Array } {
  const random = new Random(1, name)
  return { shape, data: Float32Array.from({ length: g.sizeOf(shape) }, () => random.normal()) }
}

describe('a large sum of products', () => {
  for (const turns of [
    [true, false],
    [false, true],
    [true, true],
    [false, false],
  ]) {
    it(`is right, as is what was read of it on the way; turned: ${turns.join(', ')}`, async () => {
      const graph = sums(turns)
      assert.ok(writeModel(graph).inPlace)
      const engine = await openEngine({ name: 'onnx-cpu', threads: 2 })
      const program = await engine.compile(graph)
      const feeds = Object.fromEntries([...graph.inputs].map(([name, { shape }]) => [name, noise(shape, name)]))
      const { whole, early } = await program.run(feeds)
      const entry = (r: number, c: number, n: number): number => {
        const at = (name: string, i: number, j: number, turn: boolean): number => {
          const { data, shape } = feeds[name]!
          return data[turn ? j * shape[1]! + i : i * shape[1]! + j]!
        }
        const terms = Array.from({ length: n * between }, (_, k) => {
          const [which, m] = [Math.floor(k / between), k % between]
          return at(`a${which}`, r, m, turns[0]!) * at(`b${which}`, m, c, turns[1]!)
        })
        return terms.reduce((x, y) => x + y, 0)
      }
      for (const r of [0, 1, 5000, rows - 1]) {
        for (const c of [0, 7, width - 1]) assert.ok(Math.abs(whole!.data[r * width + c]! - entry(r, c, count)) < 1e-4)
        const row = Array.from({ length: width }, (_, c) => entry(r, c, 2)).reduce((x, y) => x + y, 0)
        assert.ok(Math.abs(early!.data[r]! - row) < 1e-2)
      }
      await program.dispose()
      await engine.dispose()
    })
  }

  it('is not said so where it is small, or WebGPU adds', () => {
    assert.equal(writeModel(sums([true, false], rows - 1)).inPlace, false)
    assert.equal(writeModel(sums([true, false]), webgpuDialect).inPlace, false)
  })
})
