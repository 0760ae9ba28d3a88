import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { blockLines } from '../../lib/cli/live/lines.ts'
import { sparkline } from '../../lib/cli/live/sparkline.ts'
import { Works } from '../../lib/cli/live/work.ts'

describe('sparkline', () => {
  it('draws the lowest and the highest value as the lowest and the highest bar', () => {
    assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8), '▁▂▃▄▅▆▇█')
    assert.equal(sparkline([3, 3, 3], 8), '▁▁▁')
    assert.equal(sparkline([], 8), '')
  })

  it('takes the mean of neighbours where there are more values than room', () => {
    assert.equal(sparkline([0, 0, 7, 7], 2), '▁█')
    assert.equal(
      sparkline(
        Array.from({ length: 1000 }, (_, i) => -i),
        16,
      ).length,
      16,
    )
  })
})

/** A training in its middle, another stage at its beginning, two to come. */
function works(): Works {
  const all = new Works()
  all.hear({ type: 'started', experiment: 'e', stages: ['distill', 'control', 'evaluate[student]', 'report'] }, 0)
  for (const stage of ['distill', 'control'])
    all.hear({ type: 'stage-started', stage, key: 'k', reason: '', log: '' }, 0)
  all.hear({ type: 'stage-device', stage: 'distill', device: 'onnx-cpu, 2 threads' }, 0)
  for (const [done, at] of [
    [100, 0],
    [150, 1000],
    [200, 2000],
  ] as const) {
    const progress = { done, total: 400, unit: 'steps', loss: 500 / done, memory: 1.5e9 }
    all.hear({ type: 'stage-progress', stage: 'distill', ...progress }, at)
  }
  return all
}

const plain = (lines: readonly string[]): string[] => lines.map((line) => stripVTControlCharacters(line))

describe('the block of who is at work', () => {
  it('says how far a stage is, how fast since it was first heard of, and what is left', () => {
    assert.deepEqual(plain(blockLines(works(), 2000, { columns: 200, rows: 30 })), [
      '⠋ distill  ━━━━━━━━━━──────────   50 %  200/400 steps  50.0 steps/s  4 s left  2 s so far  loss 2.500  █▃▁  1.5 GB  onnx-cpu, 2 threads', // prettier-ignore
      '⠋ control  2 s so far',
      '  2 to come: evaluate[student], report',
    ])
  })

  it('fits any width, and keeps the name and the share longest', () => {
    for (let columns = 24; columns <= 160; columns++) {
      const [first, ...rest] = plain(blockLines(works(), 2000, { columns, rows: 30 }))
      assert.match(first!, /^. distill .*50 %/)
      for (const line of [first!, ...rest]) assert.ok(line.length < columns, `${columns}: "${line}"`)
    }
  })

  it('leaves room above it, however many stages are at work', () => {
    const many = works()
    for (let i = 0; i < 50; i++)
      many.hear({ type: 'stage-started', stage: `s[${i}]`, key: 'k', reason: '', log: '' }, 0)
    const lines = plain(blockLines(many, 2000, { columns: 80, rows: 12 }))
    assert.equal(lines.length, 9)
    assert.ok(lines.includes('  and 45 more at work'))
  })

  it('is empty when all have finished', () => {
    const all = new Works()
    all.hear({ type: 'started', experiment: 'e', stages: ['one'] }, 0)
    all.hear({ type: 'stage-started', stage: 'one', key: 'k', reason: '', log: '' }, 0)
    all.hear({ type: 'stage-finished', name: 'one', key: 'k', outcome: 'ran', seconds: 1 }, 1)
    assert.deepEqual(blockLines(all, 1, { columns: 80, rows: 24 }), [])
  })
})
