import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { estimateOf } from '../../lib/model/estimate.ts'
import { Random } from '../../lib/util/random.ts'

const answers = (count: number, right: number): number[] => Array.from({ length: count }, (_, n) => Number(n < right))

describe('an estimate', () => {
  it('is the mean, with a standard error of n − 1', () => {
    const { value, standardError } = estimateOf([1, 0, 0, 1, 1, 0, 1, 1])
    assert.equal(value, 5 / 8)
    assert.ok(Math.abs(standardError - Math.sqrt((0.625 * 0.375) / 7)) < 1e-12)
    assert.equal(estimateOf([1]).standardError, 0)
  })

  it('has an interval of the width that theory gives, the same in every call', () => {
    const found = estimateOf(answers(400, 120))
    const half = 1.96 * Math.sqrt((0.3 * 0.7) / 400)
    assert.ok(Math.abs(found.low - (0.3 - half)) < 0.006, `low ${found.low}`)
    assert.ok(Math.abs(found.high - (0.3 + half)) < 0.006, `high ${found.high}`)
    assert.deepEqual(estimateOf(answers(400, 120)), found)
  })

  it('has the 50th and the 1950th of 1999 means of items drawn anew as its bounds', () => {
    const values = Array.from({ length: 40 }, (_, n) => Math.sqrt(n)) // so many that no two means are equal
    const random = new Random(1, 'bootstrap')
    const means = Array.from({ length: 1999 }, () => {
      return values.reduce((sum) => sum + values[random.below(40)]!, 0) / 40
    }).sort((a, b) => a - b)
    const { low, high } = estimateOf(values)
    assert.ok(means[49]! < means[50]! && means[1949]! < means[1950]!)
    assert.deepEqual([low, high], [means[49], means[1949]])
  })

  it('covers the true share about as often as it says', () => {
    const random = new Random(5, 'samples')
    const covers = Array.from({ length: 200 }, () => {
      const { low, high } = estimateOf(Array.from({ length: 80 }, () => Number(random.uniform() < 0.4)))
      return low <= 0.4 && 0.4 <= high
    }).filter(Boolean).length
    assert.ok(covers > 175 && covers < 199, `${covers} of 200`)
  })

  it('of items that are all right has no width', () => {
    assert.deepEqual(estimateOf([1, 1, 1]), { value: 1, standardError: 0, low: 1, high: 1 })
  })
})
