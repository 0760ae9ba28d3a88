import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { agreementOf, sameFigure } from '../reference/agreement.ts'
import { engine } from './rig.ts'

const folder = join(import.meta.dirname, '..', 'fixtures', 'harness')
const { sets } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as { sets: { name: string }[] }

/** Every set, and its items. */
const counts = {
  hellaswag: 20,
  'hellaswag-raw': 6,
  openbookqa: 20,
  'openbookqa-raw': 4,
  'arc-easy': 20,
  'arc-challenge': 20,
  'arc-uneven': 10,
  'arc-raw': 4,
  piqa: 20,
  'piqa-raw': 3,
  copa: 20,
  'copa-raw': 3,
  winogrande: 20,
  'winogrande-raw': 4,
  lambada: 20,
  'lambada-raw': 3,
  'lambada-own': 8,
}

describe('scores beside those of lm-evaluation-harness', async () => {
  const found = await agreementOf(folder, engine)

  it('cover all sets', () => {
    assert.deepEqual(Object.fromEntries(found.map(({ name, items }) => [name, items])), counts)
    assert.equal(sets.length, found.length)
  })

  for (const { name, items, agreeing, largestDifference, figures } of found) {
    it(`are the same, item by item and in sum: ${name}`, (t) => {
      t.diagnostic(`log-probabilities within ${largestDifference.toExponential(1)}`)
      assert.equal(agreeing, items)
      assert.ok('acc' in figures && 'acc_stderr' in figures)
      for (const [figure, [theirs, ours]] of Object.entries(figures)) {
        assert.ok(sameFigure(theirs, ours), `${figure}: ${theirs}, ours ${ours}`)
      }
    })
  }
})
