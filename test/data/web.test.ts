import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Pick } from '../../lib/data/fetch/hooks.ts'
import type { FetchSettings } from '../../lib/data/fetch/settings.ts'
import { pickNamed } from '../../lib/data/sources.ts'
import { fetchWeb } from '../../lib/data/web.ts'
import { HubServer, sha256 } from './hub-server.ts'

const text = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * 11 + (i >> 7)) % 241))
const config = Buffer.from('{"model_type":"gpt2"}\n')
const sums = (...lines: string[]): Buffer => Buffer.from(lines.join('\n') + '\n')
const good = sums(`${sha256(config)}  config.json`, `${sha256(text)} *./deep/my text.txt`, `${'0'.repeat(64)}  unused`)
const files = {
  'text.txt': text,
  'empty.txt': Buffer.alloc(0),
  'model/SHA256SUMS': good,
  'model/config.json': config,
  'model/deep/my text.txt': text,
}
const server = new HubServer({ files })
const temporary = mkdtempSync(join(tmpdir(), 'web-'))
before(() => server.start())
after(async () => {
  await server.stop()
  rmSync(temporary, { recursive: true, force: true })
})
afterEach(() => {
  server.asked.length = 0
  server.faults.file.length = 0
})

let count = 0
const fresh = (): FetchSettings => ({
  ...{ endpoint: 'http://unused', token: 'hf_secret', cache: 'unused', offline: false },
  webCache: join(temporary, String(count++)),
})
const hooks = { signal: AbortSignal.timeout(60_000), onBytes: () => undefined, log: () => undefined }
const fetched = (settings: FetchSettings, name = 'text.txt', digest = sha256(text), pick: Pick = () => []) =>
  fetchWeb({ site: 'web', url: `${server.endpoint}/files/${name}`, sha256: digest }, pick, settings, hooks)
const failing = (result: Promise<string>, code: string, message: RegExp) =>
  assert.rejects(result, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
const ranges = () => server.asked.map(({ range }) => range)
/** Files below a folder. */
const filesIn = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true }).flatMap((e) => (e.isFile() ? [e.name] : []))
    : []

describe('a file of a server', () => {
  it('is fetched once, kept by its digest, and the token of the hub is not shown to it', async () => {
    const settings = fresh()
    const file = await fetched(settings)
    assert.equal(file, join(settings.webCache, sha256(text), 'text.txt'))
    assert.deepEqual(readFileSync(file), text)
    assert.equal(await fetched(settings), file)
    assert.equal(await fetched({ ...settings, offline: true }), file)
    assert.deepEqual(
      server.asked.map(({ token }) => token),
      [undefined],
    )
    assert.deepEqual(filesIn(settings.webCache), ['text.txt'])
  })

  it('may be empty, or of a length that the server does not say', async () => {
    assert.equal(readFileSync(await fetched(fresh(), 'empty.txt', sha256(Buffer.alloc(0))), 'utf8'), '')
    server.faults.file.push({ hidesLength: true })
    assert.deepEqual(readFileSync(await fetched(fresh())), text)
  })

  it('goes on after a cut connection from the byte that it has', async () => {
    server.faults.file.push({ cutAfter: 90_000 })
    assert.deepEqual(readFileSync(await fetched(fresh())), text)
    assert.equal(ranges()[0], undefined)
    assert.match(ranges()[1]!, /^bytes=[1-9]\d*-$/)
    assert.equal(ranges().length, 2)
  })

  const left: Readonly<Record<string, [Buffer, (string | undefined)[]]>> = {
    'a part': [text.subarray(0, 1234), ['bytes=1234-']],
    'all of it': [text, ['bytes=200000-']],
    'too much': [Buffer.concat([text, config]), ['bytes=200022-', undefined]],
    'a part of another file': [Buffer.alloc(1234, 1), ['bytes=1234-', undefined]],
  }
  for (const [what, [bytes, asked]] of Object.entries(left)) {
    it(`goes on with what a killed run left: ${what}`, async () => {
      const settings = fresh()
      mkdirSync(join(settings.webCache, sha256(text)), { recursive: true })
      writeFileSync(join(settings.webCache, sha256(text), 'text.txt.incomplete'), bytes)
      assert.deepEqual(readFileSync(await fetched(settings)), text)
      assert.deepEqual(ranges(), asked)
      assert.deepEqual(filesIn(settings.webCache), ['text.txt'])
    })
  }

  it('of another digest is refused with both, after one fetch, and nothing of it kept', async () => {
    const settings = fresh()
    const both = new RegExp(`/files/text\\.txt" .*must be ${'0'.repeat(64)}, and is ${sha256(text)}`)
    await failing(fetched(settings, 'text.txt', '0'.repeat(64)), 'WEB_DIGEST', both)
    assert.deepEqual(filesIn(settings.webCache), [])
    assert.equal(server.asked.length, 1)
  })

  it('is not asked for offline', async () => {
    await failing(fetched({ ...fresh(), offline: true }), 'WEB_OFFLINE', /text\.txt".*HF_HUB_OFFLINE/)
    assert.deepEqual(server.asked, [])
  })

  const answers: Readonly<Record<number, [string, RegExp]>> = {
    401: ['WEB_UNAUTHORIZED', /401.*file:PATH/],
    403: ['WEB_FORBIDDEN', /403.*file:PATH/],
    404: ['WEB_NOT_FOUND', /404.*address/],
    418: ['WEB_BROKEN', /418/],
    429: ['WEB_BUSY', /429.*5 tries.*minutes/],
    500: ['WEB_BROKEN', /500.*5 tries/],
  }
  for (const [status, [code, message]] of Object.entries(answers)) {
    it(`is refused with what to do: ${status}`, async () => {
      const settings = fresh()
      const fault = { status: Number(status), headers: { 'retry-after': '0' } }
      server.faults.file.push(...Array.from({ length: 5 }, () => fault))
      await failing(fetched(settings), code, message)
      assert.ok(!existsSync(join(settings.webCache, sha256(text), 'text.txt')))
    })
  }
})

describe('a folder of a server', () => {
  it('is pinned by the digest of its SHA256SUMS, and given as far as it is picked', async () => {
    const settings = fresh()
    const pick = pickNamed('config.json', 'deep/my text.txt')
    const folder = await fetched(settings, 'model/SHA256SUMS', sha256(good), pick)
    assert.deepEqual(filesIn(folder).sort(), ['SHA256SUMS', 'config.json', 'my text.txt'])
    assert.deepEqual(readFileSync(join(folder, 'deep', 'my text.txt')), text)
    server.asked.length = 0
    assert.equal(await fetched({ ...settings, offline: true }, 'model/SHA256SUMS', sha256(good), pick), folder)
    assert.deepEqual(server.asked, [])
    const none = fetched(settings, 'model/SHA256SUMS', sha256(good), pickNamed('confg.json'))
    await failing(none, 'SOURCE_LACKS', /Did you mean "config\.json"/)
  })

  for (const line of [`${'0'.repeat(64)}  ../up`, `${'0'.repeat(64)}  /etc/x`, 'md5  x', `${'0'.repeat(64)}  a\\b`]) {
    it(`is refused where a line leads out of it or is none: ${line.replace(/0+ /, '')}`, async () => {
      const bad = sums(`${sha256(config)}  config.json`, line)
      const other = new HubServer({ files: { SHA256SUMS: bad } })
      await other.start()
      const at = { site: 'web', url: `${other.endpoint}/files/SHA256SUMS`, sha256: sha256(bad) } as const
      const result = fetchWeb(at, () => [], fresh(), hooks).finally(() => other.stop())
      await failing(result, 'SUMS_INVALID', /^Line 2 of/)
    })
  }
})
