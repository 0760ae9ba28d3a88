import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bootstrapPerplexity } from '../../lib/report/bootstrap.ts'
import {
  detectableDifference,
  holm,
  mcnemar,
  mean,
  pair,
  pairedDifference,
  ratioInterval,
  standardError,
  wilson,
} from '../../lib/report/statistics.ts'
import type { Paired } from '../../lib/report/statistics.ts'

// Expected values: SciPy 1.17.1 and statsmodels 0.15.0 (proportion_confint, mcnemar, sem, brentq).

const near = (found: number, expected: number, tolerance = 1e-12): void =>
  assert.ok(Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)), `${found}, expected ${expected}`)

const counts = (both: number, onlyA: number, onlyB: number, neither: number): Paired => ({
  ...{ both, onlyA, onlyB, neither },
})

describe('mean and standard error', () => {
  it('divides by n − 1, not by n', () => {
    near(mean([2.5, 3.5, 8, 1]), 3.75)
    near(standardError([2.5, 3.5, 8, 1]), 1.506928443335427)
    near(standardError([1, 0, 0, 1, 1, 0, 1, 1]), 0.18298126367784995)
  })
  it('knows no standard error of one value', () => assert.ok(Number.isNaN(standardError([1]))))
})

describe("Wilson's interval", () => {
  const cases: [right: number, count: number, low: number, high: number][] = [
    [0, 10, 0, 0.27753279986288926],
    [10, 10, 0.7224672001371106, 1],
    [3, 10, 0.10779126740630104, 0.6032218525388546],
    [253, 600, 0.382774169949745, 0.46155582987573496],
    [2967, 10042, 0.28661505725673075, 0.30445951655181835],
  ]
  for (const [right, count, low, high] of cases) {
    it(`of ${right} of ${count}`, () => {
      const interval = wilson(right, count)
      near(interval.low, low)
      near(interval.high, high)
    })
  }
})

describe("McNemar's exact test", () => {
  const cases: [onlyA: number, onlyB: number, p: number][] = [
    [0, 0, 1], // no discordant item: nothing speaks for either
    [1, 0, 1],
    [5, 0, 0.0625],
    [6, 0, 0.03125],
    [10, 2, 0.03857421875],
    [3, 3, 1],
    [40, 60, 0.05688793364098089],
    [121, 58, 2.8644037234701843e-6],
    [1200, 1000, 2.1817026407914194e-5],
    [2000, 1000, 1.0090148627940651e-75], // 2^−3000 underflows: the sum has to run in logarithms
  ]
  for (const [onlyA, onlyB, p] of cases) {
    it(`of ${onlyA} against ${onlyB}`, () => {
      near(mcnemar(counts(5, onlyA, onlyB, 5)) / p, 1, 1e-9)
      assert.equal(mcnemar(counts(0, onlyB, onlyA, 70)), mcnemar(counts(5, onlyA, onlyB, 5)))
    })
  }
})

describe('paired answers', () => {
  it('are counted item by item', () => {
    const table = pair([true, true, false, false, true], [true, false, true, false, false])
    assert.deepEqual(table, counts(1, 2, 1, 1))
  })
  it('must be of the same items', () => assert.throws(() => pair([true], []), /Internal error/))
})

describe("Newcombe's interval of a paired difference", () => {
  const cases: [table: Paired, low: number, high: number][] = [
    [counts(36, 12, 2, 0), 0.05692958400323875, 0.3404276029749408], // 0.0569 to 0.3404 in the paper's table
    [counts(53, 2, 1, 44), -0.028623400875720795, 0.04850327309584884],
    [counts(20, 10, 0, 20), 0.08032774045635666, 0.3073144928739397],
    [counts(0, 30, 0, 0), 0.8394678198623837, 1],
    [counts(150, 103, 40, 307), 0.06653796790232966, 0.14294639277134977],
    [counts(10, 20, 30, 40), -0.2326196955650792, 0.03763099758886679],
    [counts(54, 0, 0, 0), -0.06641358809089648, 0.06641358809089648],
  ]
  for (const [table, low, high] of cases) {
    it(`of ${JSON.stringify(table)}`, () => {
      const interval = pairedDifference(table)
      near(interval.low, low)
      near(interval.high, high)
    })
  }
})

describe('the difference that can be detected', () => {
  it("solves Connor's equation", () => {
    near(detectableDifference(600, 150), 0.05707482598566714)
    near(detectableDifference(10042, 2000), 0.012475203268813614)
  })
  it('is never above the share of discordant items', () => assert.equal(detectableDifference(100, 5), 0.05))
  it('is unknown without discordant items', () => assert.ok(Number.isNaN(detectableDifference(600, 0))))
})

const tokens = Array.from({ length: 40 }, (_, i) => 20 + ((i * 7) % 13))
const a = tokens.map((count, i) => ({ tokens: count, nll: count * (1.5 + 0.3 * Math.sin(i)) }))
const b = tokens.map((count, i) => ({
  tokens: count,
  nll: count * (1.55 + 0.3 * Math.sin(i) + 0.15 * Math.cos(3 * i)),
}))

describe('the paired bootstrap of perplexities', () => {
  it('agrees with 400,000 draws of NumPy', () => {
    const { interval, p } = bootstrapPerplexity(a, b)
    near(interval.low, -0.356, 0.012)
    near(interval.high, -0.0592, 0.012)
    near(p, 0.0047, 0.003)
  })
  it('draws the same for the same seed, and other draws for another', () => {
    assert.deepEqual(bootstrapPerplexity(a, b, { seed: 7 }), bootstrapPerplexity(a, b, { seed: 7 }))
    assert.notDeepEqual(bootstrapPerplexity(a, b, { seed: 7 }), bootstrapPerplexity(a, b, { seed: 8 }))
  })
  it('shows nothing between a model and itself', () => {
    assert.deepEqual(bootstrapPerplexity(a, a), { interval: { low: 0, high: 0 }, p: 1 })
  })
  it('never reports p = 0', () => {
    const far = a.map((document) => ({ ...document, nll: document.nll * 2 }))
    assert.equal(bootstrapPerplexity(a, far).p, 2 / 5000)
  })
})

describe('the interval of a ratio over documents', () => {
  it('agrees with the linearised variance by hand', () => {
    // ratio 2; residuals 0, 1, −1; their standard error √(1/3); mean size 2
    const { low, high } = ratioInterval([2, 5, 5], [1, 2, 3])
    near(low, 2 - (1.959963984540054 * Math.sqrt(1 / 3)) / 2)
    near(high, 2 + (1.959963984540054 * Math.sqrt(1 / 3)) / 2)
  })
})

describe("Holm's correction", () => {
  it('gives the adjusted p-values of statsmodels, in the order of the tests', () => {
    const adjusted = holm([0.01, 0.04, 0.03, 0.005, 0.6])
    const expected = [0.04, 0.09, 0.09, 0.025, 0.6]
    adjusted.forEach((p, i) => near(p, expected[i]!))
  })

  it('leaves one test as it is, is never above 1, and never turns the order', () => {
    assert.deepEqual(holm([0.2]), [0.2])
    assert.deepEqual(holm([]), [])
    assert.deepEqual(holm([0.9, 0.8, 0.7]), [1, 1, 1])
    const adjusted = holm([0.001, 0.02, 0.02, 0.021])
    assert.deepEqual(
      [...adjusted].sort((a, b) => a - b),
      adjusted,
    )
  })
})
