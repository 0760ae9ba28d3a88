import assert from 'node:assert/strict'
import { it } from 'node:test'
import { release } from '../../lib/engine/onnx/release.ts'

it('gives memory back at once, without the collector', async () => {
  const floats = 2 ** 26 // 256 MiB
  const before = process.memoryUsage().arrayBuffers
  const array = new Float32Array(floats)
  assert.ok(process.memoryUsage().arrayBuffers - before >= 4 * floats)
  await release([array, new Int32Array(3)])
  assert.equal(array.length, 0)
  assert.ok(process.memoryUsage().arrayBuffers - before < 4 * floats)
})
