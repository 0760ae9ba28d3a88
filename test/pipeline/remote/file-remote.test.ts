import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { FileRemote } from '../../../lib/pipeline/remote/file-remote.ts'
import { testRemote } from './remotes.ts'

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'remote-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const remoteAt = (folder: string) => new FileRemote({ kind: 'file', text: `file:${folder}`, folder })
const { signal } = new AbortController()

testRemote('a folder', (t) => Promise.resolve(remoteAt(join(makeFolder(t), 'not made yet'))))

test('a folder that cannot be written is named', async (t) => {
  const folder = makeFolder(t)
  writeFileSync(join(folder, 'file'), '')
  const content = { size: 1, open: () => Readable.from([Buffer.from('x')]) }
  await assert.rejects(remoteAt(join(folder, 'file')).write('a', content, signal), {
    code: 'REMOTE_FAILED',
    message: /^The remote "file:.*\/file" cannot be written: (EEXIST|ENOTDIR)/,
  })
  assert.deepEqual(readdirSync(folder), ['file'])
})
