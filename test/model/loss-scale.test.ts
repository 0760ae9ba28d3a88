import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { afterStep, firstScale } from '../../lib/model/loss-scale.ts'
import type { LossScaling } from '../../lib/model/loss-scale.ts'
import { averageName } from '../../lib/model/average.ts'
import type { CurvePoint } from '../../lib/model/train.ts'
import { momentNames } from '../../lib/model/optimizer.ts'
import { alone, inParts, names, newFolder, stateAfter, taught, trained } from './training.ts'
import type { Setup } from './training.ts'

const scaled = (setup: Setup, lossScaling: LossScaling): Setup => ({
  ...setup,
  options: { ...setup.options, lossScaling },
})
/** The gradient is some hundred times as large: at a scale of 2^127, none of float32's numbers. */
const loud = (setup: Setup): Setup => {
  const weights = new Map(setup.inputs.weights)
  const gain = weights.get('transformer.ln_f.weight')!
  weights.set('transformer.ln_f.weight', { ...gain, data: gain.data.map((x) => x * 500) })
  return { ...setup, inputs: { ...setup.inputs, weights } }
}
const longer = { ...taught.options, rate: { ...taught.options.rate, steps: 20 } }
const overflowing: LossScaling = { start: 2 ** 127, growAfter: 100 }

it('the scale is halved by an overflow, doubled after enough good steps, and left alone at 1', () => {
  const scaling = { start: 4, growAfter: 3 }
  const norms = [Infinity, 1, 1, NaN, 1, 1, 1, 1, 1, Infinity, 2, 0]
  let scale = firstScale(scaling)
  const seen = norms.map((norm) => ((scale = afterStep(scale, norm, scaling)), [scale.scale, scale.skipped]))
  assert.deepEqual(seen.map(([of]) => of), [2, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1]) // prettier-ignore
  assert.equal(scale.skipped, 3)
  assert.deepEqual(afterStep({ scale: 1, good: 5, skipped: 3 }, NaN, scaling), { scale: 1, good: 0, skipped: 3 })
})

for (const [what, setup] of [
  ['the text alone', alone],
  ['a teacher', taught],
  ['a teacher, in micro-batches', inParts],
  ['a teacher, with averages', { ...taught, options: { ...taught.options, ema: 0.9 } }],
] as const) {
  describe(`a loss that is scaled, of ${what}`, () => {
    it('teaches to the bit what it teaches else: a scale is a power of two', async () => {
      const [plain, other] = [await trained(setup), await trained(scaled(setup, { start: 2 ** 16, growAfter: 2 }))]
      for (const name of names) assert.deepEqual(other.weights.get(name), plain.weights.get(name), name)
      assert.deepEqual(other.points.map((point) => plainly(point)), plain.points) // prettier-ignore
      assert.deepEqual(other.points.map(({ lossScale }) => lossScale), [2 ** 16, 2 ** 17, 2 ** 17, 2 ** 18, 2 ** 18]) // prettier-ignore
    })

    it('leaves the weights, moments and averages of a step alone whose gradient overflows', async () => {
      const own = scaled(loud(setup), overflowing)
      const [first, second] = [await stateAfter(own, 1), await stateAfter(own, 2)]
      for (const name of [...names.flatMap(momentNames)])
        assert.ok(
          first.get(name)!.data.every((x) => x === 0),
          name,
        )
      for (const name of names) assert.deepEqual(first.get(name)!.data, own.inputs.weights.get(name)!.data, name)
      const averages = [...first.keys()].filter((name) => name.startsWith(averageName('')))
      assert.equal(averages.length, setup.options.ema ? names.length : 0)
      for (const name of averages) assert.deepEqual(first.get(name)!.data, second.get(name)!.data, name)
    })
  })
}

describe('a training whose gradients overflow', () => {
  it('goes on at smaller scales, and says so', async () => {
    const said: string[] = []
    const { points } = await trained(scaled(loud({ ...taught, options: longer }), overflowing), {
      log: (line) => said.push(line),
    })
    const last = points.at(-1)!
    assert.ok(last.skipped! > 0 && last.skipped! < points.length / 2, `${last.skipped} of ${points.length} left out`)
    assert.ok(points.every(({ loss, gradNorm }) => Number.isFinite(loss) && Number.isFinite(gradNorm)))
    const lost = points.filter(({ skipped }, i) => skipped! > (points[i - 1]?.skipped ?? 0))
    assert.ok(lost.every(({ gradNorm }) => gradNorm === 0))
    assert.equal(lost.length, last.skipped)
    assert.match(
      said.join('\n'),
      /the update of step 1 is left out: its gradient overflowed with the loss scaled by 1\.7\d+e\+38, which is 8\.5\d+e\+37 now; 1 left out so far/,
    )
    assert.ok(last.loss < points[0]!.loss, `${last.loss} after ${points[0]!.loss}`)
  })

  it('counts for the optimizer the steps that were done alone: the first that is done moves a weight by the rate', async () => {
    const rate = { peak: 0.01, warmup: 0, decay: 'constant', last: 1, steps: 20 } as const
    const optimizer = { ...taught.options.optimizer, weightDecay: 0 }
    const setup = scaled(loud({ ...taught, options: { ...longer, rate, optimizer } }), overflowing)
    const { points } = await trained(setup)
    const first = points.find(({ gradNorm }) => gradNorm > 0)!.step
    assert.ok(first > 2, 'steps before it were left out')
    const [before, after] = [await stateAfter(setup, first - 1), await stateAfter(setup, first)]
    for (const name of names) {
      const moved = before.get(name)!.data.map((x, i) => Math.abs(after.get(name)!.data[i]! - x))
      assert.ok(Math.abs(Math.max(...moved) - 0.01) < 2e-4, `${name} moved by ${Math.max(...moved)}`)
    }
  })

  it('fails where it overflows at a scale of 1, too', async () => {
    const weights = new Map(alone.inputs.weights)
    const gain = weights.get('transformer.ln_f.weight')!
    weights.set('transformer.ln_f.weight', { ...gain, data: gain.data.map(() => 1e37) })
    const setup = scaled({ ...alone, inputs: { ...alone.inputs, weights } }, { start: 2, growAfter: 100 })
    await assert.rejects(trained(setup), { code: 'LOSS_NOT_FINITE' })
  })

  for (const stopped of [1, 2, 3, 5, 8]) {
    it(`goes on to the byte after it was stopped at step ${stopped}`, async () => {
      const setup = scaled(loud({ ...inParts, options: { ...longer, accumulate: 2 } }), overflowing)
      const whole = await trained(setup)
      const folder = newFolder()
      await stateAfter(setup, stopped, folder)
      const resumed = await trained(setup, { folder })
      assert.deepEqual(resumed.points, whole.points)
      assert.deepEqual(resumed.weights, whole.weights)
    })
  }
})

/** Without what is said of the scale. */
function plainly(point: CurvePoint): CurvePoint {
  return Object.fromEntries(Object.entries(point).filter(([key]) => key !== 'lossScale' && key !== 'skipped')) as never
}
