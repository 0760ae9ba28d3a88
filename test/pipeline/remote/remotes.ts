import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Remote } from '../../../lib/pipeline/remote/remote.ts'

const { signal } = new AbortController()
const contentOf = (bytes: Uint8Array) => ({ size: bytes.length, open: () => Readable.from([bytes]) })

async function read(remote: Remote, name: string): Promise<Buffer | undefined> {
  const body = await remote.read(name, signal)
  return body && buffer(body)
}

type Make = (context: TestContext) => Promise<Remote>

/** What every remote must do, whatever it is made of. */
export function testRemote(kind: string, make: Make): void {
  testObjects(kind, make)
  test(`${kind} creates what is not there, for one of many that ask at once, and removes it`, async (t) => {
    const remote = await make(t)
    const name = 'leases/a/b.json'
    const made = await Promise.all(Array.from({ length: 8 }, (_, index) => remote.create(name, String(index), signal)))
    assert.deepEqual(made.filter(Boolean), [true])
    assert.equal(String(await read(remote, name)), String(made.indexOf(true)))
    assert.equal(await remote.create(name, 'late', signal), false)
    for (let times = 0; times < 2; times++) await remote.remove(name, signal)
    assert.equal(await read(remote, name), undefined)
    assert.equal(await remote.create(name, 'again', signal), true)
  })
}

/** What also those must that cannot create: leases are had without then. */
export function testObjects(kind: string, make: Make): void {
  const cases: Readonly<Record<string, (remote: Remote) => Promise<void>>> = {
    'gives what was written, of any length': async (remote) => {
      for (const length of [0, 1, 100_000, 20 * 1024 * 1024]) {
        const bytes = randomBytes(length)
        await remote.write(`objects/${length}`, contentOf(bytes), signal)
        assert.equal(await remote.size(`objects/${length}`, signal), length)
        assert.ok(bytes.equals((await read(remote, `objects/${length}`))!))
      }
    },
    'has nothing where nothing was written': async (remote) => {
      assert.equal(await remote.size('objects/none', signal), undefined)
      assert.equal(await read(remote, 'objects/none'), undefined)
      assert.deepEqual(await remote.list('objects/', signal), [])
    },
    'replaces what is there': async (remote) => {
      for (const text of ['one', 'two, longer', '3']) {
        await remote.write('results/a/b.json', contentOf(Buffer.from(text)), signal)
        assert.equal(String(await read(remote, 'results/a/b.json')), text)
      }
    },
    'takes a name in any script': async (remote) => {
      await remote.write('results/übung 学/1.json', contentOf(Buffer.from('x')), signal)
      assert.equal(String(await read(remote, 'results/übung 学/1.json')), 'x')
      assert.deepEqual(await remote.list('results/ü', signal), ['results/übung 学/1.json'])
    },
    'lists what begins alike, sorted, all of it': async (remote) => {
      const names = Array.from({ length: 12 }, (_, index) => `experiments/${index % 2 === 0 ? 'a' : 'b'}${index}.json`)
      for (const name of names) await remote.write(name, contentOf(Buffer.from(name)), signal)
      assert.deepEqual(await remote.list('experiments/a', signal), names.filter((name) => name.includes('/a')).sort())
      assert.equal((await remote.list('experiments/', signal)).length, 12)
      assert.deepEqual(await remote.list('experiments/c', signal), [])
    },
    'keeps what was there when a content fails at its end': async (remote) => {
      for (const length of [1000, 20 * 1024 * 1024]) {
        await remote.write('objects/x', contentOf(Buffer.from('before')), signal)
        async function* failing() {
          await Promise.resolve()
          for (let sent = 0; sent < length; sent += 1000) yield Buffer.alloc(1000)
          throw new Error('it is not what it had to be')
        }
        const content = { size: length, open: () => Readable.from(failing()) }
        await assert.rejects(remote.write('objects/x', content, signal))
        await assert.rejects(remote.write('objects/new', content, signal))
        assert.equal(String(await read(remote, 'objects/x')), 'before')
      }
      assert.deepEqual(await remote.list('objects/', signal), ['objects/x'])
    },
    'stops when told to': async (remote) => {
      const stop = new AbortController()
      stop.abort()
      await assert.rejects(remote.write('objects/y', contentOf(Buffer.from('y')), stop.signal))
      assert.equal(await remote.size('objects/y', signal), undefined)
    },
    'is written by many at once': async (remote) => {
      const writers = Array.from({ length: 8 }, (_, index) => contentOf(Buffer.alloc(300_000, index)))
      await Promise.all(writers.map((content) => remote.write('objects/z', content, signal)))
      const found = (await read(remote, 'objects/z'))!
      assert.deepEqual([found.length, new Set(found).size], [300_000, 1], 'the whole of one of them')
    },
  }
  for (const [what, check] of Object.entries(cases)) test(`${kind} ${what}`, async (t) => check(await make(t)))
}
