import assert from 'node:assert/strict'
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TrainOptions } from '../../lib/model/train.ts'
import { Trajectory } from '../../lib/model/trajectory.ts'
import { options, newFolder, taught, text, trained } from './training.ts'
import type { Setup } from './training.ts'

const rate = { peak: 0.01, warmup: 0, decay: 'constant', last: 1 } as const
const wsd = { peak: 0.01, warmup: 0, decay: 'wsd', last: 0.1 } as const

/** Of so many steps, all of the rest the same. */
type OfLength = (steps: number) => TrainOptions
const constant: OfLength = (steps) => ({ ...options, alpha: 0.5, rate: { ...rate, steps } })
const lateFall: OfLength = (steps) => ({ ...options, alpha: 0.5, rate: { ...wsd, falling: steps / 2, steps } })
const micro: OfLength = (steps) => ({ ...constant(steps), accumulate: 2, ema: 0.9, dropout: 0.1, patience: 9 })
const listed: OfLength = (steps) => ({ ...constant(steps), temperature: [2, 3, 4], alpha: [0.9, 0.5] })

const shared = (one: TrainOptions, other: TrainOptions): number =>
  new Trajectory(taught.inputs, one).sharedWith(new Trajectory(taught.inputs, other))

/** Trains in a folder that a training of fewer steps has left; gives the steps that it took itself. */
async function extended(of: OfLength, short: number, long: number, inputs: Setup['inputs'] = taught.inputs) {
  const keepAt = new Trajectory(inputs, of(short)).sharedWith(new Trajectory(inputs, of(long)))
  const [before, after] = [newFolder(), newFolder()]
  await trained({ inputs, options: { ...of(short), keepAt } }, { folder: before })
  if (keepAt > 0) cpSync(join(before, 'extend'), join(after, 'extend'), { recursive: true })
  const taken: number[] = []
  const result = await trained({ inputs, options: of(long) }, { folder: after, onStep: (step) => taken.push(step) })
  return { result, taken }
}

describe('a longer training', () => {
  const cases: [string, OfLength, number, number][] = [
    ['of a constant rate', constant, 5, 9],
    ['where the shorter one ends on a validation', constant, 4, 8],
    ['of a rate that falls late', lateFall, 6, 12],
    ['of micro-batches, an average, dropout and patience', micro, 5, 9],
    ['of lists, with a value an epoch', listed, 5, 9],
    ['of more points than its curve has', constant, 501, 505],
  ]
  for (const [what, of, short, long] of cases) {
    it(`goes on from where a shorter one is the same, to the same bytes: ${what}`, async () => {
      const { result, taken } = await extended(of, short, long)
      assert.equal(taken[0], shared(of(short), of(long)), 'the step that was kept is recorded again')
      assert.equal(taken.length, long - taken[0] + 1)
      assert.deepEqual(result, await trained({ ...taught, options: of(long) }))
    })
  }

  it('without a teacher asks nothing of alpha and temperature', async () => {
    const bent: OfLength = (steps) => ({ ...constant(steps), alpha: { from: 1, to: 0, shape: 'linear', by: 'step' } })
    const { result, taken } = await extended(bent, 4, 6, text)
    assert.equal(taken[0], 4)
    assert.deepEqual(result, await trained({ inputs: text, options: bent(6) }))
  })

  const others: [string, TrainOptions][] = [
    ['whose rate is another', { ...constant(9), rate: { ...rate, peak: 0.02, steps: 9 } }],
    ['whose temperature is another', { ...constant(9), temperature: 3 }],
    ['that is shorter', constant(3)],
  ]
  for (const [what, other] of others) {
    it(`begins anew beside the state of one ${what}`, async () => {
      const folder = newFolder()
      await trained({ ...taught, options: { ...constant(5), keepAt: 5 } }, { folder: join(folder, 'other') })
      cpSync(join(folder, 'other', 'extend'), join(folder, 'extend'), { recursive: true })
      const taken: number[] = []
      const setup = { ...taught, options: other }
      const result = await trained(setup, { folder, onStep: (step) => taken.push(step) })
      assert.equal(taken[0], 1)
      assert.deepEqual(result, await trained(setup))
    })
  }
})

describe('the steps that two trainings share', () => {
  it('are all but the fall of a late fall, none of a rate that its length bends, none of a bent alpha', () => {
    assert.equal(shared(constant(5), constant(9)), 5)
    assert.equal(shared(lateFall(6), lateFall(12)), 3)
    const cosine: OfLength = (steps) => ({ ...constant(steps), rate: { ...options.rate, steps } })
    assert.equal(shared(cosine(5), cosine(9)), 3, 'two that warm up, and the peak')
    const bent: OfLength = (steps) => ({ ...constant(steps), alpha: options.alpha })
    assert.equal(shared(bent(5), bent(9)), 1)
  })

  it('are those before the rows differ', () => {
    assert.equal(shared(constant(5), { ...constant(9), seed: 2 }), 0)
    assert.equal(shared(constant(5), { ...constant(9), batch: 2 }), 0)
  })
})

it('nothing is kept of a training that is not to be extended', async () => {
  const folder = newFolder()
  await trained({ ...taught, options: constant(3) }, { folder })
  assert.equal(existsSync(join(folder, 'extend')), false)
})
