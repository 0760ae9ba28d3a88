import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { averageName } from '../../lib/model/average.ts'
import { frozenWeights } from '../../lib/model/freeze.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { perplexity } from '../../lib/model/perplexity.ts'
import { quiet } from './plain.ts'
import { assertClose, engine, stream } from './rig.ts'
import { config, names, newFolder, options, start, stateAfter, taught, text, trained } from './training.ts'
import type { Setup } from './training.ts'

describe('averages of the weights', () => {
  const frozen = frozenWeights(config, ['*.ln_1.*'])
  const setup = (accumulate: number): Setup => ({
    ...taught,
    options: { ...options, accumulate, ema: 0.6, frozen, validateEvery: 1 },
  })
  const learning = names.filter((name) => !frozen.includes(name))

  for (const accumulate of [1, 2]) {
    it(`keep 0.6 of what they were and take 0.4 of each step's weights: ${accumulate} micro-batches`, async (t) => {
      const expected = new Map(learning.map((name) => [name, Array.from(start.get(name)!.data)]))
      for (const step of [1, 2, 3]) {
        const state = await stateAfter(setup(accumulate), step)
        for (const [name, average] of expected) {
          const { data } = state.get(name)!
          average.forEach((before, i) => (average[i] = 0.6 * before + 0.4 * data[i]!))
          assertClose(t, `${step} ${name}`, state.get(averageName(name))!.data, average, 1e-6)
        }
        for (const name of frozen) assert.ok(!state.has(averageName(name)), name)
      }
    })
  }

  it('are what is validated and given; what does not learn is given as it is', async (t) => {
    const { best, points, weights } = await trained(setup(1))
    assert.ok(best.step > 0)
    const state = await stateAfter(setup(1), best.step)
    for (const name of learning) assert.deepEqual(weights.get(name), state.get(averageName(name)), name)
    for (const name of frozen) assert.deepEqual(weights.get(name), start.get(name), name)
    const packing = { context: 12, stride: 12, batch: 1, tokens: 0 }
    const { value } = await perplexity(hold(engine, { config, weights }), text.validation, packing, quiet)
    assertClose(t, 'loss', [best.loss], [Math.log(value)], 1e-6)
    assert.equal(points.find(({ step }) => step === best.step)!.validationLoss, best.loss)
  })

  it('go on where they were', async () => {
    const [folder, whole] = [newFolder(), await trained(setup(1))]
    await stateAfter(setup(1), 3, folder)
    assert.deepEqual(await trained(setup(1), { folder }), whole)
  })
})

describe('patience', () => {
  // after its best step this one gets worse and worse
  const rate = { peak: 0.012, warmup: 0, decay: 'constant', last: 1, steps: 60 } as const
  const inputs = { ...text, train: stream(30, 13) }
  const setup = (patience: number): Setup => ({ inputs, options: { ...options, rate, validateEvery: 3, patience } })

  it('ends a training so many validations after its best, with that best', async () => {
    const whole = await trained(setup(0))
    assert.equal(whole.points.at(-1)!.step, 60)
    for (const patience of [1, 3]) {
      const ended = await trained(setup(patience))
      const losses = ended.points.flatMap(({ validationLoss }) => validationLoss ?? [])
      const best = losses.indexOf(Math.min(...losses))
      assert.equal(losses.length - 1 - best, patience)
      assert.deepEqual(ended.points, whole.points.slice(0, ended.points.length))
      assert.deepEqual(ended.best, { step: 3 * (best + 1), loss: losses[best] })
      const state = await stateAfter(setup(patience), ended.best.step)
      for (const name of names) assert.deepEqual(ended.weights.get(name), state.get(name), name)
    }
  })

  it('goes on counting where it was, and ends once', async () => {
    const whole = await trained(setup(3))
    const last = whole.points.at(-1)!.step
    for (const step of [last - 4, last]) {
      const folder = newFolder()
      await stateAfter(setup(3), step, folder)
      assert.deepEqual(await trained(setup(3), { folder }), whole)
      assert.deepEqual(await trained(setup(3), { folder }), whole)
    }
  })
})
