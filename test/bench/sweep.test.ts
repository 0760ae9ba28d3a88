import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { operations, realPair, smallPair } from '../../bench/sweep/shapes.ts'
import { parameterCount } from '../../lib/model/weights.ts'

describe('the shapes of the bench "sweep"', () => {
  it('are those of GPT-Neo-2.7B and GPT-2 124M', () => {
    assert.deepEqual(
      [realPair.teacher, realPair.student].map((one) => parameterCount(one)),
      [2_651_307_520, 124_439_808],
    )
  })

  it('cost without the head in the teacher’s pass, and with it in every step', () => {
    // 18 passes by hand: the student 6 · 123.7 million, the head 2 · 128.7 million, the teacher 2 · 2,646.1 million
    const { targets, online } = operations(realPair, 18)
    assert.equal((online / 1e6).toPrecision(4), (18 * (6 * 123.653 + 2 * 2646.065)).toPrecision(4))
    const once = 2 * (2646.065 - 128.658)
    assert.equal((targets / 1e6).toPrecision(4), (once + 18 * (6 * 123.653 + 2 * 128.658)).toPrecision(4))
  })

  it('share one vocabulary', () => {
    for (const { teacher, student } of [realPair, smallPair]) assert.equal(teacher.vocabSize, student.vocabSize)
  })
})
