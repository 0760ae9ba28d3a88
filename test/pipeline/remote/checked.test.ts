import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { statSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, pipeline } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { CHUNK, hashFile } from '../../../lib/pipeline/digest.ts'
import { Checked } from '../../../lib/pipeline/remote/checked.ts'
import { parseAddress } from '../../../lib/pipeline/remote/address.ts'

for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]) {
  test(`a stream of ${size} bytes has the digest of a file with them, and no other passes`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'checked-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'file')
    const bytes = randomBytes(size)
    writeFileSync(file, bytes)
    const sha256 = hashFile(file, statSync(file, { bigint: true }), () => undefined)
    const pass = (sent: Buffer): Promise<Buffer> => {
      const parts = Array.from({ length: Math.ceil(sent.length / 70_001) }, (_, part) =>
        sent.subarray(part * 70_001, (part + 1) * 70_001),
      )
      const checked = new Checked({ size, sha256 }, (found) => new Error(found))
      pipeline(Readable.from(parts), checked, () => undefined)
      return buffer(checked)
    }
    assert.ok(bytes.equals(await pass(bytes)))
    await assert.rejects(pass(Buffer.concat([bytes, Buffer.from('x')])), { message: `more than ${size} bytes` })
    if (size === 0) return
    await assert.rejects(pass(bytes.subarray(1)), { message: `${size - 1} bytes, not ${size}` })
    bytes[size - 1]! ^= 1
    await assert.rejects(pass(bytes), /content of digest \w{64}/)
  })
}

const ADDRESSES: Readonly<Record<string, unknown>> = {
  'file:/mnt/share': { kind: 'file', folder: '/mnt/share' },
  'file:///mnt/share': { kind: 'file', folder: '/mnt/share' },
  'file:../share': { kind: 'file', folder: '/home/share' },
  's3://bucket': { kind: 's3', bucket: 'bucket', prefix: '' },
  's3://bucket/': { kind: 's3', bucket: 'bucket', prefix: '' },
  's3://my.bucket-1/a//b/': { kind: 's3', bucket: 'my.bucket-1', prefix: 'a/b/' },
}
for (const [text, expected] of Object.entries(ADDRESSES)) {
  test(`the remote ${text} is read`, () => {
    assert.deepEqual(parseAddress(text, '/home/me'), { ok: true, value: { ...(expected as object), text } })
  })
}
for (const text of [
  'file:',
  '/mnt/share',
  's3:bucket',
  's3://',
  's3://Bucket',
  's3://b',
  's3://bucket/../x',
  'gs://b/c',
]) {
  test(`the remote ${text} is refused`, () => {
    const address = parseAddress(text, '/home/me')
    assert.match(address.ok ? '' : address.error, /Write file:PATH or s3:\/\/BUCKET\/PREFIX\.$/)
  })
}
