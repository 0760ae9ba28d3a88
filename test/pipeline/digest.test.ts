import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../lib/pipeline/canonical.ts'
import { CHUNK, largeDigest } from '../../lib/pipeline/digest.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Rig } from './rig.ts'

/** Content digest with nothing remembered from before. */
const fresh = async (rig: Rig, path = 'data'): Promise<string> =>
  (await new StatCache(rig.path(`cache-${Math.random()}`)).tree(rig.path(path))).digest

function data(t: TestContext): Rig {
  const rig = new Rig(t)
  rig.write('data/a.txt', 'aaa')
  rig.write('data/sub/b.txt', 'bbb')
  return rig
}

test('content, names, the execute bit, empty folders and links are in the digest; times and place are not', async (t) => {
  const rig = data(t)
  const first = await fresh(rig)
  utimesSync(rig.path('data/a.txt'), 1, 1)
  assert.equal(await fresh(rig), first)
  renameSync(rig.path('data'), rig.path('moved'))
  assert.equal(await fresh(rig, 'moved'), first)
  const seen = new Set([first])
  const changes: (() => void)[] = [
    () => rig.write('moved/a.txt', 'aab'),
    () => renameSync(rig.path('moved/a.txt'), rig.path('moved/c.txt')),
    () => chmodSync(rig.path('moved/c.txt'), 0o755),
    () => mkdirSync(rig.path('moved/empty')),
    () => symlinkSync('c.txt', rig.path('moved/link')),
    () => symlinkSync('nowhere', rig.path('moved/broken')),
  ]
  for (const [index, change] of changes.entries()) {
    change()
    seen.add(await fresh(rig, 'moved'))
    assert.equal(seen.size, index + 2, `change ${index}`)
  }
})

test('odd names count as they are: spaces, newlines, NFC and NFD', async (t) => {
  const digests = new Set<string>()
  for (const name of ['a b', 'a\nb', 'é', 'e\u0301', ' ', '\\']) {
    const rig = new Rig(t)
    rig.write(`data/${name}`, 'x')
    digests.add(await fresh(rig))
  }
  assert.equal(digests.size, 6)
})

test('a link that leaves the folder counts by what it leads to; one in a circle is refused', async (t) => {
  const rig = data(t)
  rig.write('outside.txt', 'one')
  symlinkSync('../outside.txt', rig.path('data/out'))
  const first = await fresh(rig)
  rig.write('outside.txt', 'two')
  assert.notEqual(await fresh(rig), first)
  mkdirSync(rig.path('loop'))
  symlinkSync('self', rig.path('loop/self'))
  await assert.rejects(fresh(rig, 'loop'), { code: 'INPUT_LINK' })
})

test('a link to a folder, inside or outside, counts by what is in it; a folder that holds itself is refused', async (t) => {
  const rig = data(t)
  rig.write('outside/x.txt', 'one')
  symlinkSync('../outside', rig.path('data/out'))
  symlinkSync('sub', rig.path('data/in'))
  const first = await fresh(rig)
  rig.write('outside/x.txt', 'two')
  const second = await fresh(rig)
  assert.notEqual(second, first)
  rmSync(rig.path('data/in'))
  symlinkSync('./a.txt', rig.path('data/in'))
  assert.notEqual(await fresh(rig), second)
  symlinkSync('../outside', rig.path('outside/back'))
  await assert.rejects(fresh(rig), { code: 'INPUT_LINK', message: /circle/ })
})

test('a FIFO, a socket and a name that is not UTF-8 are refused by name', async (t) => {
  const rig = data(t)
  execFileSync('mkfifo', [rig.path('data/pipe')])
  await assert.rejects(fresh(rig), { code: 'INPUT_SPECIAL', message: /pipe" is a FIFO/ })
  const other = data(t)
  const server = createServer().listen(other.path('data/socket'))
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  await assert.rejects(fresh(other), { code: 'INPUT_SPECIAL', message: /is a socket/ })
  const bytes = data(t)
  writeFileSync(Buffer.concat([Buffer.from(bytes.path('data/')), Buffer.from([0xff, 0xfe])]), 'x')
  await assert.rejects(fresh(bytes), { code: 'INPUT_NAME' })
})

test('a missing input is named', async (t) => {
  await assert.rejects(fresh(new Rig(t), 'none'), { code: 'INPUT_MISSING', message: /none" does not exist/ })
})

/** A cache that has seen the folder long enough ago to trust it. */
async function settledCache(rig: Rig): Promise<{ cache: () => StatCache; digest: string }> {
  await delay(60)
  const cache = new StatCache(rig.path('cache'))
  const { digest } = await cache.tree(rig.path('data'))
  cache.save()
  return { cache: () => new StatCache(rig.path('cache')), digest }
}

test('nothing is read of what did not change, also after a touch only that file', async (t) => {
  const rig = data(t)
  const { cache, digest } = await settledCache(rig)
  const again = cache()
  assert.equal((await again.tree(rig.path('data'))).digest, digest)
  assert.equal(again.bytesRead, 0)
  utimesSync(rig.path('data/a.txt'), 5, 5)
  const touched = cache()
  assert.equal((await touched.tree(rig.path('data'))).digest, digest)
  assert.equal(touched.bytesRead, 3)
})

test('same size and same mtime with other bytes is seen, in place and replaced', async (t) => {
  const rig = data(t)
  utimesSync(rig.path('data/a.txt'), 1000, 1000)
  const { cache, digest } = await settledCache(rig)
  writeFileSync(rig.path('data/a.txt'), 'aab')
  utimesSync(rig.path('data/a.txt'), 1000, 1000)
  const edited = (await cache().tree(rig.path('data'))).digest
  assert.notEqual(edited, digest)
  writeFileSync(rig.path('data/new'), 'aac')
  utimesSync(rig.path('data/new'), 1000, 1000)
  renameSync(rig.path('data/new'), rig.path('data/a.txt'))
  assert.notEqual((await cache().tree(rig.path('data'))).digest, edited)
})

test('an edit in the very clock tick in which the file was hashed is seen', async (t) => {
  const rig = data(t)
  for (let i = 0; i < 40; i++) {
    rig.write('data/a.txt', 'old')
    const cache = new StatCache(rig.path('cache'))
    const before = await cache.tree(rig.path('data'))
    cache.save()
    writeFileSync(rig.path('data/a.txt'), 'new')
    assert.notEqual((await new StatCache(rig.path('cache')).tree(rig.path('data'))).digest, before.digest)
  }
})

test('an mtime in the future is no reason to read again, and hides no change', async (t) => {
  const rig = data(t)
  utimesSync(rig.path('data/a.txt'), 4e9, 4e9)
  const { cache, digest } = await settledCache(rig)
  const again = cache()
  await again.tree(rig.path('data'))
  assert.equal(again.bytesRead, 0)
  writeFileSync(rig.path('data/a.txt'), 'aab')
  utimesSync(rig.path('data/a.txt'), 4e9, 4e9)
  assert.notEqual((await cache().tree(rig.path('data'))).digest, digest)
})

test('while the clock is behind the one that stamped a file, nothing of it is trusted, and no edit is lost', async (t) => {
  const rig = data(t)
  const { now } = Date
  t.after(() => (Date.now = now))
  Date.now = () => now() - 3_600_000
  const { cache, digest } = await settledCache(rig)
  const again = cache()
  assert.equal((await again.tree(rig.path('data'))).digest, digest)
  assert.equal(again.bytesRead, 6)
  writeFileSync(rig.path('data/a.txt'), 'aab')
  assert.notEqual((await cache().tree(rig.path('data'))).digest, digest)
})

test('many files: one change reads one file; a broken cache file is an empty cache', async (t) => {
  const rig = new Rig(t)
  for (let i = 0; i < 200; i++) rig.write(`data/${i}`, `content ${i}`)
  const { cache, digest } = await settledCache(rig)
  rig.write('data/7', 'other')
  const one = cache()
  assert.notEqual((await one.tree(rig.path('data'))).digest, digest)
  assert.equal(one.bytesRead, 5)
  rig.write('data/7', 'content 7')
  rig.write('cache/stat-1/trees.json', '{"cut')
  assert.equal((await cache().tree(rig.path('data'))).digest, digest)
})

test('a file of more than one chunk has the digest of its chunks; a smaller one its plain sha256', async (t) => {
  const rig = new Rig(t)
  rig.write('data/small', 'abc')
  rig.write('data/large', '')
  truncateSync(rig.path('data/large'), CHUNK + 5)
  const fd = openSync(rig.path('data/large'), 'r+')
  writeSync(fd, 'x', CHUNK + 2)
  const { files } = await new StatCache(rig.path('cache')).files(rig.path('data'), 'refuse')
  const bytes = readFileSync(rig.path('data/large'))
  const chunks = [sha256(bytes.subarray(0, CHUNK)), sha256(bytes.subarray(CHUNK))]
  assert.deepEqual(
    files.map((file) => file.sha256),
    [largeDigest(CHUNK + 5, chunks), sha256('abc')],
  )
})

test('large files beside each other have each its own digest; one that changes meanwhile is hashed anew', async (t) => {
  const rig = new Rig(t)
  mkdirSync(rig.path('data'))
  const fill = (name: string, chunks: number): void =>
    writeFileSync(rig.path('data', name), Buffer.alloc(chunks * CHUNK + 1, name))
  for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries()) fill(name, (index % 3) + 1)
  writeFileSync(rig.path('data/small'), 'small')
  const { files } = await new StatCache(rig.path('cache')).files(rig.path('data'), 'refuse')
  for (const { path, sha256: digest } of files) {
    const { files: alone } = await new StatCache(rig.path(`cache-${path}`)).files(rig.path('data', path), 'refuse')
    assert.equal(digest, alone[0]!.sha256, path)
  }
  assert.equal(new Set(files.map((file) => file.sha256)).size, 6)
  const hashed = new StatCache(rig.path('other')).tree(rig.path('data'))
  fill('e', 2)
  assert.equal((await hashed).digest, await fresh(rig))
})

test('a file that another process replaces all the time is hashed in one of its states', async (t) => {
  const rig = new Rig(t)
  rig.write('one', 'x')
  const script = `const fs = require('fs'); for (let i = 0; ; i++) {
    fs.writeFileSync('two', 'x'); fs.renameSync('two', 'one'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3) }`
  const child = spawn(process.execPath, ['-e', script], { cwd: rig.root, stdio: 'ignore' })
  try {
    for (let ends = Date.now() + 2000; Date.now() < ends;)
      assert.equal(new StatCache(rig.path('cache')).file(rig.path('one')), sha256('x'))
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
