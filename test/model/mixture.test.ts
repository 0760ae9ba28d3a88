import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { frozenWeights } from '../../lib/model/freeze.ts'
import type { Mixed } from '../../lib/model/mixture.ts'
import { momentNames } from '../../lib/model/optimizer.ts'
import { Order } from '../../lib/model/order.ts'
import type { MixedRows, OrderOptions } from '../../lib/model/order.ts'
import type { Trained } from '../../lib/model/train.ts'
import { assertClose, stream } from './rig.ts'
import { config, names, newFolder, options, stateAfter, taught, teacherOf, text, trained } from './training.ts'
import type { Setup } from './training.ts'

/** Ten rows of a text, 0 to 9; mixed in are those from 10 on. */
const ordered = (mixed: readonly MixedRows[], over: Partial<OrderOptions> = {}): Order =>
  new Order(10, { batch: 3, seed: 1, mixed, ...over })
/** Epoch by epoch. */
const epochsOf = (order: Order, epochs: number): number[][] => {
  const all = Array.from({ length: Math.ceil(order.count(epochs) / 3) }, (_, step) => order.rowsOf(step)).flat()
  return Array.from({ length: epochs }, (_, n) => all.slice(order.count(n), order.count(n + 1)))
}
const between = (rows: readonly number[], first: number, end: number): number[] =>
  rows.filter((row) => row >= first && row < end)
const sorted = (rows: readonly number[]): number[] => [...rows].sort((a, b) => a - b)
const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, n) => first + n)

describe('the order of a mixture', () => {
  const some = { name: 'some', rows: 5, weight: 1 }
  const many = { name: 'many', rows: 20, weight: 0.25 }

  it('has each row of the text once an epoch, in the order that it has alone', () => {
    const [alone, mixed] = [epochsOf(ordered([]), 4), epochsOf(ordered([some, many]), 4)]
    assert.deepEqual(
      mixed.map((rows) => between(rows, 0, 10)),
      alone,
    )
  })

  it('has of a corpus as many rows an epoch as its weight says, each once before any comes again', () => {
    const epochs = epochsOf(ordered([some, many, { name: 'twice', rows: 3, weight: 2 }]), 4)
    for (const rows of epochs) {
      assert.deepEqual(sorted(between(rows, 10, 15)), range(10, 15))
      assert.equal(between(rows, 15, 35).length, 5)
      const twice = between(rows, 35, 38)
      assert.deepEqual([sorted(twice.slice(0, 3)), sorted(twice.slice(3))], [range(35, 38), range(35, 38)])
    }
    assert.deepEqual(sorted(between(epochs.flat(), 15, 35)), range(15, 35))
    assert.notDeepEqual(between(epochs[0]!, 10, 15), between(epochs[1]!, 10, 15))
  })

  it('has them at an even rate: never a row more or less than is due', () => {
    const rows = epochsOf(ordered([some, many, { name: 'third', rows: 7, weight: 1 / 3 }]), 9).flat()
    for (const [first, count, rate] of [
      [10, 5, 0.5],
      [15, 20, 0.5],
      [35, 7, 7 / 30],
    ] as const) {
      let [own, given] = [0, 0]
      for (const row of rows) {
        if (row < 10) own += 1
        else if (row >= first && row < first + count) given += 1
        const due = own * rate - given
        assert.ok(due > -1e-5 && due < 1 + rate, `after ${own}: ${due}`)
      }
      assert.equal(given, Math.round(90 * rate))
    }
  })

  for (const [by, expected] of [
    ['epoch', [4, 3, 2, 1, 1]], // 0.8, 0.6, 0.4, 0.2 of 5 rows, which then stays
    ['step', [3, 3, 2, 2, 1]], // 0.73, 0.58, 0.42, 0.27 on the average of each epoch
  ] as const) {
    it(`follows weights that change by ${by}`, () => {
      const falling = { name: 'falling', rows: 5, weight: { from: 0.8, to: 0.2, shape: 'linear', by } } as const
      const epochs = epochsOf(ordered([falling], { epochs: 4 }), 5)
      assert.deepEqual(
        epochs.map((rows) => rows.length - 10),
        expected,
      )
    })
  }

  it('is a matter of the step, the seed and the name alone', () => {
    const [order, whole] = [ordered([some, many]), epochsOf(ordered([some, many]), 6).flat()]
    for (const step of [29, 3, 0, 17, 18]) assert.deepEqual(order.rowsOf(step), whole.slice(3 * step, 3 * step + 3))
    assert.deepEqual(ordered([some, many]).rowsOf(29), whole.slice(87, 90))
    const of = (mixed: readonly MixedRows[], seed = 1): number[] =>
      between(epochsOf(ordered(mixed, { seed }), 3).flat(), 10, 15)
    assert.deepEqual(of([some]), of([some, many]))
    assert.notDeepEqual(of([some]), of([some], 2))
    assert.notDeepEqual(of([some]), of([{ ...some, name: 'other' }]))
  })

  it('counts epochs by the rows that each has', () => {
    const order = ordered([some, many])
    assert.deepEqual(
      [0, 1, 0.5, 2, 2.05].map((epochs) => order.count(epochs)),
      [0, 20, 9, 40, 41],
    )
    assert.deepEqual(
      [0, 5, 20, 25].map((step) => order.epochAt(step)),
      [0, 0.75, 3, 3.75],
    )
    assert.deepEqual(
      [0.5, 2, 2.05].map((epochs) => ordered([]).count(epochs)),
      [5, 20, 21],
    )
  })
})

describe('a training on a mixture', () => {
  const lengths = { some: 61, more: 100 }
  const mixed = (weight: Mixed['weight'] = 1): Mixed[] =>
    Object.entries(lengths).map(([name, length]) => {
      const train = stream(length, 13, length)
      return { name, weight, train, targets: teacherOf('teacher', train).targets }
    })
  const setup = (weight: Mixed['weight'] = 1, over: Partial<Setup['options']> = {}): Setup => ({
    inputs: { ...taught.inputs, mixed: mixed(weight) },
    options: { ...options, ...over },
  })

  it('learns from each corpus, and from what the teacher says of it, as from it alone', async (t) => {
    // rows of 149, 60 and 99 labels: a step on all of them
    const rows = [13, 5, 9]
    const whole = await stateAfter(setup(1, { batch: 27, clip: 1e6 }), 1)
    const parts = await Promise.all(
      [text.train, ...mixed().map(({ train }) => train)].map((train, n) => {
        const inputs = { ...text, train, teacher: teacherOf('teacher', train) }
        return stateAfter({ inputs, options: { ...options, batch: rows[n]!, clip: 1e6 } }, 1)
      }),
    )
    for (const name of names.map((weight) => momentNames(weight)[0])) {
      const sum = (i: number): number =>
        (149 * parts[0]!.get(name)!.data[i]! +
          60 * parts[1]!.get(name)!.data[i]! +
          99 * parts[2]!.get(name)!.data[i]!) /
        308
      const found = whole.get(name)!.data
      assertClose(
        t,
        name,
        found,
        Array.from(found, (_, i) => sum(i)),
        1e-5,
      )
    }
  })

  it('goes on with the same rows', async () => {
    const own = setup({ from: 1, to: 0.1, shape: 'linear', by: 'step' })
    const [folder, whole] = [newFolder(), await trained(own)]
    await stateAfter(own, 3, folder)
    assert.deepEqual(await trained(own, { folder }), whole)
    await assert.rejects(trained(setup(0.5), { folder }), { code: 'CHECKPOINT_FOREIGN' })
  })

  it('keeps what comes out of its first layers by corpus', async (t) => {
    const frozen = frozenWeights(config, ['transformer.w*', 'transformer.h.0.*'])
    const run = (fixed: number): Promise<Trained> => trained(setup(1, { frozen, fixed }))
    const [kept, plain] = [await run(1), await run(0)]
    assertClose(
      t,
      'loss',
      kept.points.map(({ loss }) => loss),
      plain.points.map(({ loss }) => loss),
      1e-5,
    )
  })
})
