import assert from 'node:assert/strict'
import { it } from 'node:test'
import { metricLines } from '../../lib/cli/format.ts'

it('metrics for people are groups of numbers in one table, then single values, and nothing of what is nested', () => {
  const metrics = {
    models: { teacher: { parameters: 3 }, student: { parameters: 1 } },
    perplexity: { teacher: 5.123456, student: 9.7 },
    acc: { teacher: 0.5 },
    steps: 12,
    comparisons: [{ p: 0.5 }],
  }
  assert.equal(
    metricLines(metrics),
    `            teacher  student
perplexity  5.1235   9.7
acc         0.5
steps  12`,
  )
})
