import assert from 'node:assert/strict'
import { it } from 'node:test'
import { namer } from '../../lib/trackers/names.ts'

it('names of cells become plain, the same each time, and two never become one', () => {
  const plain = namer(/[[\],+=]/g)
  const names = ['distill/loss', 'distill[2,0.9]/loss', 'distill[a+b]/loss', 'distill[a=b]/loss', 'acc/é[x]']
  const expected = ['distill/loss', 'distill_2_0.9/loss', 'distill_a_b/loss', 'distill_a_b/loss_2', 'acc/é_x']
  assert.deepEqual(names.map(plain), expected)
  assert.deepEqual(names.map(plain), expected)
})
