import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { orderCells, pairs } from '../../lib/report/cells.ts'
import { compareModels, judge } from '../../lib/report/compare.ts'
import { makeScores } from './models.ts'

describe('the rule of the verdict', () => {
  const cases: [p: number, low: number, high: number, wanted: 'more' | 'less', verdict: string][] = [
    [0.049, 0.01, 0.1, 'more', 'better'],
    [0.049, -0.1, -0.01, 'more', 'worse'],
    [0.049, 0.01, 0.1, 'less', 'worse'],
    [0.049, -0.1, -0.01, 'less', 'better'],
    [0.05, 0.01, 0.1, 'more', 'no difference shown'], // the test does not reject
    [0.001, 0, 0.1, 'more', 'no difference shown'], // the interval does not leave out 0
    [0.001, -0.01, 0.1, 'more', 'no difference shown'],
    [NaN, 0.01, 0.1, 'more', 'no difference shown'],
  ]
  for (const [p, low, high, wanted, verdict] of cases) {
    it(`p ${p}, ${low} to ${high}, ${wanted} is wanted: ${verdict}`, () =>
      assert.equal(judge(p, { low, high }, wanted), verdict))
  }
})

describe('comparisons', () => {
  it('of a model with itself show nothing: no discordant items, p = 1', () => {
    const same = makeScores({ right: [true, false, true] })
    const [comparison] = compareModels({ student: same, control: same })
    assert.deepEqual(
      [comparison?.p, comparison?.discordant, comparison?.difference, comparison?.detectable, comparison?.verdict],
      [1, 0, 0, null, 'no difference shown'],
    )
  })

  it('count the items that exactly one of the two got right', () => {
    const student = makeScores({ right: [true, true, true, true, true, true, false, false] })
    const control = makeScores({ right: [false, false, false, false, false, false, true, false] })
    const [comparison] = compareModels({ student, control })
    assert.deepEqual([comparison?.n, comparison?.discordant, comparison?.difference], [8, 7, 5 / 8])
    assert.ok(Math.abs(comparison!.p! - 0.125) < 1e-12) // 2 · (1 + 7) / 2^7
  })

  it('are none of a perplexity whose documents are too few', () => {
    const few = makeScores({ right: null, documents: [1, 2, 3] })
    assert.deepEqual(
      compareModels({ student: few, control: few }).map(({ measure, p, verdict }) => [measure, p, verdict]),
      [['perplexity', null, 'not tested']],
    )
  })
})

describe('cells', () => {
  it('stand in one order, others after the known', () => {
    assert.deepEqual(orderCells(['zeta', 'student', 'alpha', 'teacher']), ['teacher', 'student', 'alpha', 'zeta'])
  })
  it('are paired with the control first, and others with the control', () => {
    assert.deepEqual(pairs(['teacher', 'baseline', 'control', 'student', 'T4']), [
      ['student', 'control'],
      ['student', 'baseline'],
      ['control', 'baseline'],
      ['teacher', 'student'],
      ['T4', 'control'],
    ])
  })
})
