import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Pick } from '../../lib/data/fetch/hooks.ts'
import { fetchSettings } from '../../lib/data/fetch/settings.ts'
import type { FetchSettings } from '../../lib/data/fetch/settings.ts'
import { fetchHub } from '../../lib/data/hub/index.ts'
import { pickModel, pickNamed } from '../../lib/data/sources.ts'
import { parseRemote } from '../../lib/util/remote.ts'
import type { HubAddress } from '../../lib/util/remote.ts'
import { HubServer, sha256 } from './hub-server.ts'

const weights = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) % 251))
const config = Buffer.from('{"model_type":"gpt2"}\n')
const server = new HubServer({
  'models/owner/small': { 'config.json': config, 'model.safetensors': weights, 'README.md': Buffer.from('read me') },
  'models/owner/pickled': { 'config.json': config, 'pytorch_model.bin': weights, 'pytorch_model.pt': weights },
  'models/owner/pickled-shards': {
    'config.json': config,
    'pytorch_model.bin.index.json': Buffer.from('{}'),
    'pytorch_model-00001-of-00002.bin': weights,
    'pytorch_model-00002-of-00002.bin': weights.subarray(0, 2000),
    'pytorch_model-00001-of-00002.bin.md': config,
  },
  'models/owner/both': {
    'config.json': config,
    'pytorch_model.bin': weights,
    'model.safetensors': weights,
    'model-00001-of-00002.safetensors': weights,
  },
  'models/owner/flax': { 'config.json': config, 'flax_model.msgpack': weights },
  'models/owner/sharded': {
    'config.json': config,
    'model.safetensors.index.json': Buffer.from('{}'),
    'model-00001-of-00002.safetensors': weights,
    'model-00002-of-00002.safetensors': weights.subarray(0, 2000),
  },
  'datasets/owner/text': { 'plain/train.txt': Buffer.from('some text') },
})
const temporary = mkdtempSync(join(tmpdir(), 'hub-'))
before(() => server.start())
after(async () => {
  await server.stop()
  rmSync(temporary, { recursive: true, force: true })
})
afterEach(() => {
  server.asked.length = 0
  server.faults.api.length = 0
  server.faults.file.length = 0
})

let count = 0
const fresh = (over: Partial<FetchSettings> = {}): FetchSettings => ({
  endpoint: server.endpoint,
  token: undefined,
  cache: join(temporary, String(count++)),
  webCache: join(temporary, 'unused'),
  offline: false,
  ...over,
})
function address(source: string): HubAddress {
  const remote = parseRemote(source)
  assert.ok(remote.ok && remote.value.site === 'hub')
  return remote.value
}
const quiet = { onBytes: () => undefined, log: () => undefined }
const fetchInto = (settings: FetchSettings, source = 'hub:owner/small@main', pick: Pick = pickModel) =>
  fetchHub(address(source), pick, settings, { signal: AbortSignal.timeout(30_000), ...quiet })
const failing = (fetched: Promise<string>, code: string, message: RegExp) =>
  assert.rejects(fetched, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
/** Requests of contents, as `path` or `path from byte`. */
const contents = (): string[] =>
  server.asked
    .filter(
      ({ url, host }) => !url.startsWith('/api/') && (!url.endsWith('.safetensors') || host.startsWith('localhost')),
    )
    .map(({ url, range }) => url.split('/').at(-1)! + (range === undefined ? '' : ` ${range}`))
const waitless = { headers: { 'retry-after': '0' } }

describe('the hub', () => {
  it('gives what is picked of a repository, in the layout of the shared cache, and nothing twice', async () => {
    const settings = fresh()
    const bytes: number[] = []
    const folder = await fetchHub(address('hub:owner/small@main'), pickModel, settings, {
      ...quiet,
      signal: AbortSignal.timeout(30_000),
      onBytes: (done, total) => void bytes.push(done / total),
    })
    const repository = join(settings.cache, 'models--owner--small')
    assert.equal(folder, join(repository, 'snapshots', server.commit))
    assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'model.safetensors'])
    assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights)
    assert.ok(existsSync(join(repository, 'blobs', sha256(weights))))
    assert.equal(readFileSync(join(repository, 'refs', 'main'), 'utf8'), server.commit)
    assert.equal(bytes.at(-1), 1)
    server.asked.length = 0
    await fetchInto(settings)
    assert.deepEqual(contents(), [])
  })

  it('gives shards, and files of data sets in folders', async () => {
    const sharded = await fetchInto(fresh(), 'hub:owner/sharded@main')
    assert.equal(readdirSync(sharded).length, 4)
    const text = await fetchInto(fresh(), 'hub:datasets/owner/text@main', pickNamed('plain/train.txt'))
    assert.equal(readFileSync(join(text, 'plain', 'train.txt'), 'utf8'), 'some text')
  })

  it('gives weights of torch.save where there are none of safetensors', async () => {
    const files = async (name: string) => readdirSync(await fetchInto(fresh(), `hub:owner/${name}@main`)).sort()
    assert.deepEqual(await files('both'), ['config.json', 'model.safetensors'])
    assert.deepEqual(await files('pickled'), ['config.json', 'pytorch_model.bin'])
    assert.deepEqual(await files('pickled-shards'), [
      'config.json',
      'pytorch_model-00001-of-00002.bin',
      'pytorch_model-00002-of-00002.bin',
      'pytorch_model.bin.index.json',
    ])
  })

  it('is asked for a commit as for a branch, and offline not at all', async () => {
    const settings = fresh()
    const online = await fetchInto(settings, `hub:owner/small@${server.commit}`)
    await fetchInto(settings)
    server.asked.length = 0
    for (const revision of ['main', server.commit]) {
      assert.equal(await fetchInto({ ...settings, offline: true }, `hub:owner/small@${revision}`), online)
    }
    assert.deepEqual(server.asked, [])
    await failing(fetchInto(fresh({ offline: true })), 'HUB_OFFLINE', /owner\/small@main.*HF_HUB_OFFLINE/)
  })

  it('gets the token, and another host behind a redirect does not', async () => {
    await fetchInto(fresh({ token: 'hf_secret' }))
    const [own, others] = [
      server.asked.filter(({ host }) => host.startsWith('127.0.0.1')),
      server.asked.filter(({ host }) => host.startsWith('localhost')),
    ]
    assert.ok(own.length >= 3 && own.every(({ token }) => token === 'Bearer hf_secret'))
    assert.ok(others.length === 1 && others.every(({ token }) => token === undefined))
  })
})

describe('a download', () => {
  it('goes on after a cut connection, from the byte that it has', async () => {
    server.faults.file.push({ cutAfter: 100_000 })
    const folder = await fetchInto(fresh(), undefined, pickNamed('model.safetensors'))
    assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights)
    const [first, second] = contents()
    assert.equal(first, 'model.safetensors')
    assert.match(second!, /^model\.safetensors bytes=[1-9]\d*-$/)
  })

  it('goes on with what a killed run left, also where the server knows no ranges', async () => {
    for (const faults of [[], [{ ignoresRange: true } as const]]) {
      const settings = fresh()
      const blobs = join(settings.cache, 'models--owner--small', 'blobs')
      mkdirSync(blobs, { recursive: true })
      writeFileSync(join(blobs, `${sha256(weights)}.incomplete`), weights.subarray(0, 1234))
      server.asked.length = 0
      server.faults.file.push(...faults)
      const folder = await fetchInto(settings, undefined, pickNamed('model.safetensors'))
      assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights)
      assert.deepEqual(contents(), ['model.safetensors bytes=1234-'])
      assert.deepEqual(readdirSync(blobs), [sha256(weights)])
    }
  })

  it('begins anew where what was left is not the file', async () => {
    const settings = fresh()
    const blobs = join(settings.cache, 'models--owner--small', 'blobs')
    mkdirSync(blobs, { recursive: true })
    writeFileSync(join(blobs, `${sha256(weights)}.incomplete`), Buffer.alloc(1234, 1))
    const folder = await fetchInto(settings, undefined, pickNamed('model.safetensors'))
    assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights)
  })

  for (const name of ['model.safetensors', 'config.json']) {
    it(`of wrong bytes is refused, and nothing of it kept: ${name}`, async () => {
      const settings = fresh()
      server.faults.file.push({ flipsByte: true }, { flipsByte: true })
      await failing(
        fetchInto(settings, undefined, pickNamed(name)),
        'HUB_DIGEST',
        new RegExp(`"${name}" .*owner/small`),
      )
      assert.deepEqual(readdirSync(join(settings.cache, 'models--owner--small', 'blobs')), [])
    })
  }

  it('stops when it is told to, and keeps what it has', async () => {
    const settings = fresh()
    const stop = new AbortController()
    const onBytes = (): void => stop.abort()
    const fetched = fetchHub(address('hub:owner/small@main'), pickModel, settings, {
      ...quiet,
      signal: stop.signal,
      onBytes,
    })
    await assert.rejects(fetched, { name: 'AbortError' })
  })

  it('is not begun where the disk is too small', async () => {
    const huge = new HubServer({ 'models/owner/huge': { 'config.json': config } })
    await huge.start()
    try {
      const lie = (json: string): string => json.replace(`"size":${config.length}`, '"size":9e15')
      const { fetch } = globalThis
      globalThis.fetch = async (...args) => new Response(lie(await (await fetch(...args)).text()))
      const fetched = fetchInto(fresh({ endpoint: huge.endpoint }), 'hub:owner/huge@main', pickNamed('config.json'))
      await failing(
        fetched.finally(() => (globalThis.fetch = fetch)),
        'DISK_SMALL',
        /needs \d+\.\d GiB .*HF_HOME/,
      )
    } finally {
      await huge.stop()
    }
  })
})

describe('an answer of the hub', () => {
  const cases: Readonly<Record<number, [string, RegExp]>> = {
    401: ['HUB_UNAUTHORIZED', /HF_TOKEN/],
    403: ['HUB_FORBIDDEN', /terms/],
    404: ['HUB_NOT_FOUND', /owner, name and revision/],
    418: ['HUB_BROKEN', /418/],
  }
  for (const [status, [code, message]] of Object.entries(cases)) {
    it(`of ${status} says what to do`, async () => {
      server.faults.api.push({ status: Number(status) })
      await failing(fetchInto(fresh()), code, message)
      assert.equal(server.asked.length, 1)
    })
  }

  for (const status of [429, 500, 503]) {
    it(`of ${status} is waited out`, async () => {
      server.faults.api.push({ status, ...waitless }, { status, ...waitless })
      server.faults.file.push({ status, ...waitless })
      assert.ok(existsSync(join(await fetchInto(fresh()), 'config.json')))
    })
    it(`of ${status} for ever is given up`, async () => {
      server.faults.api.push(...Array.from({ length: 9 }, () => ({ status, ...waitless })))
      await failing(fetchInto(fresh()), status === 429 ? 'HUB_BUSY' : 'HUB_BROKEN', new RegExp(`${status}.*5 tries`))
    })
  }

  it('names a repository, a revision and a file that are not there', async () => {
    await failing(fetchInto(fresh(), 'hub:owner/none@main'), 'HUB_NOT_FOUND', /owner\/none@main/)
    await failing(fetchInto(fresh(), 'hub:owner/small@v9'), 'HUB_NOT_FOUND', /owner\/small@v9/)
    const none = /none of model\.safetensors, .*, pytorch_model\.bin\.index\.json\. It has config\.json, flax_model/
    await failing(fetchInto(fresh(), 'hub:owner/flax@main'), 'SOURCE_LACKS', none)
    const named = fetchInto(fresh(), undefined, pickNamed('model.safetensor'))
    await failing(named, 'SOURCE_LACKS', /no file "model\.safetensor"\. Did you mean "model\.safetensors"/)
  })

  it('that comes from no hub is told from one', async () => {
    const web = await fetchInto(fresh({ endpoint: `${server.endpoint}/owner` })).catch((error: unknown) => error)
    assert.equal((web as { code?: string }).code, 'HUB_NOT_FOUND')
  })
})

describe('settings', () => {
  it('are those of the official clients', () => {
    const home = join(temporary, 'home')
    mkdirSync(home)
    writeFileSync(join(home, 'token'), 'hf_file\n')
    assert.deepEqual(fetchSettings({ HF_HOME: home }), {
      ...{ endpoint: 'https://huggingface.co', token: 'hf_file', offline: false },
      ...{ cache: join(home, 'hub'), webCache: join(home, 'https') },
    })
    const env = { HF_HOME: home, HF_TOKEN: 'hf_own', HF_ENDPOINT: 'http://mirror/', HF_HUB_OFFLINE: '1' }
    assert.deepEqual(fetchSettings({ ...env, HF_HUB_CACHE: '/cache' }), {
      ...{ endpoint: 'http://mirror', token: 'hf_own', offline: true },
      ...{ cache: '/cache', webCache: join(home, 'https') },
    })
  })
})
