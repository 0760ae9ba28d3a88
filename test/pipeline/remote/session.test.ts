import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { sha256 } from '../../../lib/pipeline/canonical.ts'
import { RemoteSession } from '../../../lib/pipeline/remote/session.ts'
import { outcomes } from '../../e2e/command.ts'
import { Sharing, makeShare } from '../../e2e/sharing.ts'

/** Takes connections, and answers nothing. */
async function startSilent(t: TestContext) {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const env = { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' }
  return { sockets, env }
}

const NOWHERE = { kind: 's3', text: 's3://bucket', bucket: 'bucket', prefix: '' } as const
const NO_KEYS = { trust: undefined, signer: undefined }

test('a server that answers nothing costs one wait and one warning, however many results are asked for', async (t) => {
  const { env } = await startSilent(t)
  Object.assign(process.env, env)
  const said: string[] = []
  const session = new RemoteSession(NOWHERE, NO_KEYS, new AbortController().signal, (_, code, text) =>
    said.push(code, text),
  )
  const started = performance.now()
  const asked = Array.from({ length: 40 }, (_, cell) => session.find('a', { stage: 'a', key: sha256(String(cell)) }))
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([undefined]))
  await session.settle()
  const seconds = (performance.now() - started) / 1000
  assert.ok(seconds < 20, `${seconds} s`)
  assert.equal(said.length, 2, said.join('\n'))
  assert.match(said.join(' '), /^REMOTE_FAILED The remote "s3:\/\/bucket" cannot be read at .*: no answer in 15 s/)
})

test('what waits for a remote ends with the run', async (t) => {
  const { env } = await startSilent(t)
  Object.assign(process.env, env)
  const stop = new AbortController()
  const said: string[] = []
  const session = new RemoteSession(NOWHERE, NO_KEYS, stop.signal, (_, code) => said.push(code))
  const folder = mkdtempSync(join(tmpdir(), 'session-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const started = performance.now()
  setTimeout(() => stop.abort(), 300)
  assert.equal(await session.find('a', { stage: 'a', key: sha256('a') }), undefined)
  await session.settle()
  assert.ok(performance.now() - started < 3000)
  assert.deepEqual(said, [])
})

test('a run in which all is fresh asks the remote nothing', async (t) => {
  const { sockets, env } = await startSilent(t)
  const place = new Sharing(t, `file:${makeShare(t)}`, env)
  await place.shared()
  place.write('pipeline.yaml', place.read('pipeline.yaml').replace(/^remote: .*$/m, 'remote: s3://bucket/a'))
  const { last, notices } = await place.shared()
  assert.deepEqual([outcomes(last), notices, sockets.length], [['make: fresh', 'join: fresh'], [], 0])
})
