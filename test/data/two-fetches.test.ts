import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { HubServer, sha256 } from './hub-server.ts'

const weights = Buffer.from(Uint8Array.from({ length: 600_000 }, (_, i) => (i * 7 + (i >> 8)) % 251))
const sources = JSON.stringify(join(import.meta.dirname, '..', '..', 'lib', 'data', 'sources.ts'))
const FETCH = `
  const { fetchFolder, pickNamed } = await import(${sources})
  const hooks = { signal: new AbortController().signal, onBytes() {}, log: (line) => console.log(line) }
  console.log(await fetchFolder('hub:owner/small@main', pickNamed('model.safetensors'), hooks))
`

interface Cache {
  readonly server: HubServer
  readonly home: string
  readonly blobs: string
}

async function makeCache(context: TestContext): Promise<Cache> {
  const server = new HubServer({ 'models/owner/small': { 'model.safetensors': weights } })
  await server.start()
  const home = mkdtempSync(join(tmpdir(), 'two-'))
  context.after(async () => {
    await server.stop()
    rmSync(home, { recursive: true })
  })
  return { server, home, blobs: join(home, 'hub', 'models--owner--small', 'blobs') }
}

/** A process of its own that fetches into the cache. */
function start({ server, home }: Cache) {
  const env = { ...process.env, HF_ENDPOINT: server.endpoint, HF_HOME: home, HF_HUB_CACHE: join(home, 'hub') }
  const args = ['--import', 'tsx', '--input-type=module', '-e', FETCH]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const heard = { text: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (heard.text += text))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, heard, ended }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await delay(20)
}
const contents = ({ server }: Cache) => server.asked.filter(({ host }) => host.startsWith('localhost'))
const half = ({ blobs }: Cache): boolean =>
  statSync(join(blobs, `${sha256(weights)}.incomplete`), { throwIfNoEntry: false })?.size === weights.length / 2

test('of two processes at once one fetches, and the other waits and shares', { timeout: 60_000 }, async (t) => {
  const cache = await makeCache(t)
  let open = (): void => undefined
  cache.server.faults.file.push({ waitsFor: new Promise((resolve) => (open = resolve)) })
  const one = start(cache)
  await until(() => half(cache))
  const two = start(cache)
  await until(() => two.heard.text.includes(`waits for process ${one.child.pid}, which fetches "model.safetensors"`))
  open()
  assert.deepEqual([await one.ended, await two.ended], [0, 0])
  const folder = join(cache.blobs, '..', 'snapshots', cache.server.commit)
  assert.ok([one, two].every(({ heard }) => heard.text.trim().endsWith(folder.replace(/^.*hub/, 'hub'))))
  assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights)
  assert.deepEqual(readdirSync(folder), ['model.safetensors'])
  assert.deepEqual(readdirSync(cache.blobs), [sha256(weights)])
  assert.equal(contents(cache).length, 1)
})

test('what a killed process has fetched is gone on with by the one that waits', { timeout: 60_000 }, async (t) => {
  const cache = await makeCache(t)
  cache.server.faults.file.push({ waitsFor: new Promise(() => undefined) })
  const one = start(cache)
  await until(() => half(cache))
  const two = start(cache)
  await until(() => two.heard.text.includes('waits for process'))
  one.child.kill('SIGKILL')
  assert.deepEqual([await one.ended, await two.ended], [null, 0])
  assert.deepEqual(readdirSync(cache.blobs), [sha256(weights)])
  assert.deepEqual(readFileSync(join(cache.blobs, sha256(weights))), weights)
  assert.deepEqual(
    contents(cache).map(({ range }) => range),
    [undefined, `bytes=${weights.length / 2}-`],
  )
})
