import assert from 'node:assert/strict'
import { it } from 'node:test'
import { metricLines, table } from '../../lib/cli/format.ts'

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

it('the students of a sweep have a row each, by the axes of their cells, with all that is a number', () => {
  const student = (perplexity: number) => ({ perplexity, acc: 0.5, comparisons: [{ p: 0.1 }] })
  const sweep = { axes: ['temperature', 'alpha'], students: { '1,0.5': student(3.7), '2,0.5': student(123456.789) } }
  assert.equal(
    metricLines({ steps: 1234567, sweep }),
    `steps  1234567

temperature  alpha  perplexity  acc
1            0.5    3.7         0.5
2            0.5    123460      0.5`,
  )
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [String(n), student(n)]))
  const lines = metricLines({ sweep: { axes: ['n'], students: many } }).split('\n')
  assert.deepEqual([lines.length, lines.at(-1)], [42, '… and 60 more, on the page'])
})

it('a table that is wider than the terminal goes on below, with its first column', () => {
  const metrics = { acc: { teacher: 1, baseline: 2, student: 3 } }
  assert.equal(
    metricLines(metrics, 22),
    `     teacher  baseline
acc  1        2
     student
acc  3`,
  )
  assert.equal(metricLines(metrics, 5).split('\n').length, 6, 'a column is never cut')
})

it('the last cell of a table goes on below it, whole words a line, and what cannot be broken is left as it is', () => {
  const rows = [
    ['key', 'a1b2'],
    ['note', 'some words that are many more than a line of this table can hold'],
  ]
  assert.equal(
    table(rows, 40),
    `key   a1b2
note  some words that are many more than
      a line of this table can hold`,
  )
  assert.equal(
    table([['a name that takes most of a line', 'some words more']], 40),
    `a name that takes most of a line
    some words more`,
  )
  assert.equal(table([['page', '/a/path/that/is/to/be/copied/whole']], 20), 'page  /a/path/that/is/to/be/copied/whole')
})
