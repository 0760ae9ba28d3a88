import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { alphaAt, rateAt } from '../../lib/model/schedule.ts'
import type { RateSchedule } from '../../lib/model/schedule.ts'
import { trainOptions } from '../../lib/model/train-params.ts'
import type { TrainParams } from '../../lib/model/train-params.ts'

const schedule = (over: Partial<RateSchedule>): RateSchedule => ({
  ...{ peak: 0.003, warmup: 4, decay: 'cosine', last: 0.1, steps: 20 },
  ...over,
})
const rates = (of: RateSchedule): number[] => Array.from({ length: of.steps }, (_, step) => rateAt(of, step))

describe('the rate', () => {
  for (const decay of ['constant', 'linear', 'cosine'] as const) {
    it(`rises from peak / warmup, not from 0, to the peak: ${decay}`, () => {
      assertNear(rates(schedule({ decay })).slice(0, 5), [0.00075, 0.0015, 0.00225, 0.003, 0.003])
      assert.equal(rateAt(schedule({ decay, warmup: 1 }), 0), 0.003)
      assert.equal(rateAt(schedule({ decay, warmup: 0 }), 0), 0.003)
    })
  }

  for (const decay of ['linear', 'cosine'] as const) {
    for (const last of [0, 0.1, 0.35, 1]) {
      for (const [warmup, steps] of [
        [4, 20],
        [0, 2],
        [3, 7],
        [6, 7],
        [0, 1],
        [7, 1003],
      ] as const) {
        it(`has exactly ${last} of the peak in the last step: ${decay}, ${warmup} of ${steps} steps warm it up`, () => {
          const all = rates(schedule({ decay, last, warmup, steps }))
          assert.equal(all.at(-1), 0.003 * last)
          for (const [step, rate] of all.entries()) assert.ok(step <= warmup || rate <= all[step - 1]!, `step ${step}`)
          assert.ok(Math.min(...all) > 0 || last === 0, all.join())
        })
      }
    }
  }

  it('falls in a straight line, or in half a cosine, or not at all', () => {
    const halfway = { warmup: 0, steps: 5, last: 0.2, peak: 1 }
    assertNear(rates(schedule({ ...halfway, decay: 'linear' })), [1, 0.8, 0.6, 0.4, 0.2])
    const bend = 0.4 * Math.SQRT1_2
    assertNear(rates(schedule({ ...halfway, decay: 'cosine' })), [1, 0.6 + bend, 0.6, 0.6 - bend, 0.2])
    assertNear(rates(schedule({ ...halfway, decay: 'constant' })), [1, 1, 1, 1, 1])
  })
})

describe("the teacher's share", () => {
  for (const [first, last] of [
    [0.9, 0.433],
    [0.7, 0.1],
    [0, 1],
    [0.3, 0.3],
  ] as const) {
    it(`goes from exactly ${first} to exactly ${last}, in a straight line`, () => {
      for (const steps of [2, 3, 7, 1001]) {
        const shares = Array.from({ length: steps }, (_, step) => alphaAt({ first, last }, steps, step))
        assert.deepEqual([shares[0], shares.at(-1)], [first, last])
        assertNear(
          shares,
          shares.map((_, step) => first + ((last - first) * step) / (steps - 1)),
        )
      }
    })
  }

  it('of a single step is the last', () => assert.equal(alphaAt({ first: 0.9, last: 0.1 }, 1, 0), 0.1))
})

describe('the parameters of a training', () => {
  const params = { batch: 8, epochs: 2.5, steps: 0, rate: 0.003, warmup: 0.1, decay: 'linear', last: 0.2 } as const
  const options = (over: Partial<TrainParams>, alphaLast?: number) =>
    trainOptions({ ...params, ...over } as TrainParams, 50, { temperature: 2, alpha: 0.9, alphaLast })

  it('count steps by epochs, unless they say how many', () => {
    assert.equal(options({}).rate.steps, 16) // 2.5 · 50 / 8, rounded up
    assert.equal(options({ steps: 7 }).rate.steps, 7)
  })

  it('hand the schedules their last values', () => {
    assert.deepEqual(options({}).rate, { peak: 0.003, warmup: 2, decay: 'linear', last: 0.2, steps: 16 })
    assert.deepEqual(options({}).alpha, { first: 0.9, last: 0.9 })
    assert.deepEqual(options({}, 0).alpha, { first: 0.9, last: 0 })
  })
})

function assertNear(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length)
  found.forEach((value, n) => {
    assert.ok(Math.abs(value - expected[n]!) < 1e-12, `${n}: expected ${expected[n]}, found ${value}`)
  })
}
