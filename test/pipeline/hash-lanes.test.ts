import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { hashLanes } from '../../lib/pipeline/hash-lanes.ts'
import { Rig } from './rig.ts'

test('a lane hashes ranges in the order asked, and says what it cannot read', async (t) => {
  const rig = new Rig(t)
  const bytes = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * i) % 251))
  writeFileSync(rig.path('file'), bytes)
  const fd = openSync(rig.path('file'), 'r')
  const [lane] = hashLanes()
  const plain = (start: number, end: number): string =>
    createHash('sha256').update(bytes.subarray(start, end)).digest('hex')
  const asked = [
    [0, 1_000_000],
    [300_001, 600_001],
    [7, 7],
  ] as const
  const digests = asked.map(([start, end]) => lane!.digest({ fd, start, length: end - start }))
  assert.deepEqual(
    await Promise.all(digests),
    asked.map(([start, end]) => plain(start, end)),
  )
  assert.equal(await lane!.digest({ fd, start: 999_990, length: 11 }), null, 'the file ends before')
  closeSync(fd)
  await assert.rejects(lane!.digest({ fd: 987_654, start: 0, length: 1 }), { code: 'EBADF' })
})
