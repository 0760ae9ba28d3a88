import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ticks } from '../../lib/ui/page/format.ts'

it('each mark of an axis has a text of its own, however small its values are', () => {
  assert.deepEqual(ticks([0, 0.0005, 0.001, 0.0015, 0.002]), ['0', '0.0005', '0.001', '0.0015', '0.002'])
  assert.deepEqual(ticks([1e-5, 1.5e-5, 0.1 + 0.2]), ['0.00001', '0.000015', '0.3'])
  assert.deepEqual(ticks([0.001, null, 0.01]), ['0.001', '', '0.01'])
})
