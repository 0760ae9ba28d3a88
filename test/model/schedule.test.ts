import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decays, rateAt, valueAt, valuesOf } from '../../lib/model/schedule.ts'
import type { Course, RateSchedule, Schedule } from '../../lib/model/schedule.ts'
import { trainOptions } from '../../lib/model/train-params.ts'
import type { TrainParams } from '../../lib/model/train-params.ts'
import { tiny } from './rig.ts'

const schedule = (over: Partial<RateSchedule>): RateSchedule => ({
  ...{ peak: 0.003, warmup: 4, decay: 'cosine', falling: 5, last: 0.1, steps: 20 },
  ...over,
})
const rates = (of: RateSchedule): number[] => Array.from({ length: of.steps }, (_, step) => rateAt(of, step))

describe('the rate', () => {
  for (const decay of decays) {
    it(`rises from peak / warmup, not from 0, to the peak: ${decay}`, () => {
      assertNear(rates(schedule({ decay })).slice(0, 5), [0.00075, 0.0015, 0.00225, 0.003, 0.003])
      assert.equal(rateAt(schedule({ decay, warmup: 1 }), 0), 0.003)
      assert.equal(rateAt(schedule({ decay, warmup: 0 }), 0), 0.003)
    })
  }

  for (const decay of ['linear', 'cosine', 'wsd'] as const) {
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

  it('stays, and falls in a straight line over the last steps: wsd', () => {
    const wsd = { decay: 'wsd', warmup: 2, last: 0.2, peak: 1 } as const
    assertNear(rates(schedule({ ...wsd, steps: 9, falling: 2 })), [0.5, 1, 1, 1, 1, 1, 1, 0.6, 0.2])
    assertNear(rates(schedule({ ...wsd, steps: 5, falling: 0 })), [0.5, 1, 1, 1, 0.2]) // the last value is kept to
    assertNear(rates(schedule({ ...wsd, steps: 5, falling: 9 })), [0.5, 1, 1, 0.6, 0.2]) // never in the warm-up
  })
})

/** Rows of which each step takes some: an epoch is all of them. */
const course = (steps: number, batch = 4, rows = 10): Course => ({ steps, epochAt: (step) => (step * batch) / rows })
const values = (of: Schedule, { steps, epochAt }: Course): number[] =>
  Array.from({ length: steps }, (_, step) => valueAt(of, { steps, epochAt }, step))

describe('a number that changes', () => {
  for (const shape of ['linear', 'cosine'] as const) {
    for (const by of ['step', 'epoch'] as const) {
      for (const [from, to] of [
        [0.9, 0.433],
        [0.7, 0.1],
        [0, 1],
        [0.3, 0.3],
        [1, 4],
      ] as const) {
        it(`goes from exactly ${from} to exactly ${to}, never back: ${shape}, by ${by}`, () => {
          for (const steps of [4, 7, 250, 1001]) {
            const all = values({ from, to, shape, by }, course(steps))
            assert.deepEqual([all[0], all.at(-1)], [from, to])
            for (const [step, value] of all.entries())
              assert.ok(step === 0 || (value - all[step - 1]!) * Math.sign(to - from) >= 0, `${steps}: step ${step}`)
          }
        })
      }

      it(`of a single ${by} is the last: ${shape}`, () => {
        assert.deepEqual(values({ from: 0.9, to: 0.1, shape, by }, course(by === 'step' ? 1 : 2)).at(0), 0.1)
      })
    }
  }

  it('goes in a straight line, or in half a cosine', () => {
    const way = { from: 1, to: 3, by: 'step' } as const
    assertNear(values({ ...way, shape: 'linear' }, course(5)), [1, 1.5, 2, 2.5, 3])
    assertNear(values({ ...way, shape: 'cosine' }, course(5)), [1, 2 - Math.SQRT1_2, 2, 2 + Math.SQRT1_2, 3])
  })

  it('takes each of its values once, those that it comes to alone', () => {
    const all = (of: Schedule, steps = 8) => valuesOf(of, course(steps))
    assert.deepEqual([all(2), all(2, 0)], [[2], [2]])
    assert.deepEqual(all({ from: 1, to: 3, shape: 'linear', by: 'step' }, 5), [1, 1.5, 2, 2.5, 3])
    assert.deepEqual(all([4, 1, 4, 2, 3], 10), [4, 1, 2])
    assert.deepEqual(all([4, 1, 4, 2, 3], 5), [4, 1])
  })

  it('stays as it is for an epoch, whose first step is the first that begins in it', () => {
    const found = values({ from: 0.9, to: 0.3, shape: 'linear', by: 'epoch' }, course(8))
    assertNear(found, [0.9, 0.9, 0.9, 0.6, 0.6, 0.3, 0.3, 0.3])
  })

  it('is that of a list for each epoch, and the last from there on', () => {
    assert.deepEqual(values([0.9, 0.2], course(8)), [0.9, 0.9, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2])
    assert.deepEqual(values([0.9, 0.2, 0.5, 1, 0], course(8)), [0.9, 0.9, 0.9, 0.2, 0.2, 0.5, 0.5, 0.5])
  })

  it('or does not change', () => assert.deepEqual(values(0.4, course(3)), [0.4, 0.4, 0.4]))
})

describe('the parameters of a training', () => {
  const rate = { rate: 0.003, warmup: 0.1, decay: 'wsd', decayShare: 0.25, last: 0.2 } as const
  const params = { batch: 8, epochs: 2.5, steps: 0, freeze: [], ...rate } as const
  const alpha = { from: 0.9, to: 0, shape: 'linear', by: 'epoch' } as const
  const options = (over: Partial<TrainParams>) =>
    trainOptions(
      { ...params, ...over } as TrainParams,
      { config: tiny(), rowsIn: (epochs) => epochs * 50, inside: false },
      { temperature: 2, alpha },
    )

  it('count steps by epochs, unless they say how many', () => {
    assert.equal(options({}).rate.steps, 16) // 2.5 · 50 / 8, rounded up
    assert.equal(options({ steps: 7 }).rate.steps, 7)
  })

  it('hand the schedules their last values', () => {
    const rate = { peak: 0.003, warmup: 2, decay: 'wsd', falling: 4, last: 0.2, steps: 16 }
    assert.deepEqual(options({}).rate, rate)
    assert.deepEqual([options({}).alpha, options({}).temperature], [alpha, 2])
  })
})

function assertNear(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length)
  found.forEach((value, n) => {
    assert.ok(Math.abs(value - expected[n]!) < 1e-12, `${n}: expected ${expected[n]}, found ${value}`)
  })
}
