import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GptConfig } from '../../lib/model/config.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { logitsOf } from '../../lib/model/logits.ts'
import { initialise } from '../../lib/model/weights.ts'
import { engine, tiny, tinyNeo } from './rig.ts'

const C = 64
const config: GptConfig = {
  ...tinyNeo({ vocabSize: 200, context: 32, width: C, layers: 3, heads: 2, inner: 128, window: 3 }),
  attention: ['local', 'global', 'global'],
}
const weights = initialise(config, 3, { deviation: 0.08, start: 'induction' })
const matrix = (layer: number, name: string): number[][] => {
  const { data } = weights.get(`transformer.h.${layer}.attn.attention.${name}.weight`)!
  return Array.from({ length: C }, (_, i) => Array.from(data.subarray(i * C, (i + 1) * C)))
}
const product = (a: number[][], b: number[][]): number[][] =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)))
const transposed = (a: number[][]): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!))
const scaled = (a: number[][], by: number): number[][] => a.map((row) => row.map((value) => value * by))
const identity = Array.from({ length: C }, (_, i) => Array.from({ length: C }, (_, j) => Number(i === j)))

function assertSame(found: number[][], expected: number[][], what: string): void {
  const worst = Math.max(...found.flatMap((row, i) => row.map((value, j) => Math.abs(value - expected[i]![j]!))))
  assert.ok(worst < 1e-5, `${what} is off by ${worst}`)
}

describe('an induction start', () => {
  const turn = scaled(product(matrix(0, 'v_proj'), matrix(0, 'out_proj')), 1 / 0.8)

  const half = (a: number[][], which: 0 | 1): number[][] =>
    a.map((row) => row.slice((which * C) / 2, ((which + 1) * C) / 2))
  /** What half of a layer's heads write of what they read, and the projection on what they read. */
  const reads = (layer: number, which: 0 | 1) => {
    const values = half(matrix(layer, 'v_proj'), which)
    const out = matrix(layer, 'out_proj').slice((which * C) / 2, ((which + 1) * C) / 2)
    return { written: product(values, out), projection: product(values, transposed(values)) }
  }

  it('writes what a local layer reads turned, by an orthogonal matrix', () => {
    assertSame(product(turn, transposed(turn)), identity, 'M Mᵀ')
  })

  it('turns back what global layers read, but for the second half of the first', () => {
    for (const [layer, which] of [
      [1, 0],
      [2, 0],
      [2, 1],
    ] as const) {
      const { written, projection } = reads(layer, which)
      assertSame(product(written, turn), projection, `half ${which} of layer ${layer}, times M`)
    }
    const { written, projection } = reads(1, 1)
    assertSame(written, projection, 'the second half of layer 1')
  })

  it('looks for what was named here, in the second half with keys as queries: named, and later found', () => {
    for (const layer of [1, 2]) {
      const [queries, keys] = [matrix(layer, 'q_proj'), matrix(layer, 'k_proj')]
      assertSame(half(product(turn, queries), 0), half(keys, 0), `the first half of layer ${layer}`)
      assertSame(half(queries, 1), half(keys, 1), `the second half of layer ${layer}`)
      // the columns of one orthogonal matrix, where both are taken of tokens
      const ofTokens = layer === 1 ? product(turn, keys) : keys
      const overlap = product(transposed(half(keys, 0)), half(ofTokens, 1))
      assertSame(overlap, scaled(overlap, 0), `what both halves of layer ${layer} have keys for`)
    }
  })

  it('expects again what stood beside a word before, as a start by draws alone does not', async (t) => {
    const two: GptConfig = { ...config, width: 128, heads: 4, layers: 2, attention: ['local', 'global'] }
    /** Deviations by which the logit of x after "… x a … a" is above the mean logit, over 40 texts. */
    const lead = async (start: 'normal' | 'induction'): Promise<number> => {
      const model = hold(engine, { config: two, weights: initialise(two, 3, { deviation: 0.08, start }) })
      let sum = 0
      for (let n = 0; n < 40; n++) {
        const [a, x] = [10 + n, 60 + n]
        const others = Array.from({ length: 12 }, (_, k) => 100 + ((7 * n + k) % 100))
        const last = (await logitsOf(model, [...others.slice(0, 4), x, a, ...others.slice(4), a])).at(-1)!
        const mean = last.reduce((total, logit) => total + logit, 0) / last.length
        const deviation = Math.sqrt(last.reduce((total, logit) => total + (logit - mean) ** 2, 0) / last.length)
        sum += (last[x]! - mean) / deviation / 40
      }
      model.memory.dispose()
      return sum
    }
    const [induction, normal] = [await lead('induction'), await lead('normal')]
    t.diagnostic(`${induction.toFixed(2)} deviations, by draws alone ${normal.toFixed(2)}`)
    assert.ok(induction > 0.5 && Math.abs(normal) < 0.4)
  })

  it('is refused without a global layer after a local one', () => {
    for (const shape of [tiny(), tinyNeo({ attention: ['global', 'local'] })]) {
      assert.throws(() => initialise(shape, 1, { start: 'induction' }), { code: 'START_INVALID' })
    }
  })
})
