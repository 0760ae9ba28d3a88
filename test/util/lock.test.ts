import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { acquire, hold, holdBeside, livingKeys } from '../../lib/util/lock.ts'

const KEY = 'ab'.repeat(32)
const never = new AbortController().signal
const temporary = mkdtempSync(join(tmpdir(), 'lock-'))
after(() => rmSync(temporary, { recursive: true }))
const makeFolder = (): string => mkdtempSync(join(temporary, 'folder-'))

/** Locks once, noting whether it had to wait. */
async function lockOnce(folder: string, silenceMs?: number): Promise<boolean> {
  let waited = false
  const lock = await acquire(folder, KEY, never, () => (waited = true), silenceMs)
  lock.release()
  return waited
}

/** The name of a lock that this process would hold, with some parts (0 host, 1 pid, 2 start) replaced. */
function nameLike(replace: (parts: string[]) => void): string {
  const file = hold(temporary, KEY, 'f'.repeat(12))
  rmSync(file)
  const parts = basename(file).split('-').slice(2)
  replace(parts)
  return [`.lock-${KEY}`, ...parts].join('-')
}

test('two in one process take turns, in one hundred tries of four', async () => {
  const folder = makeFolder()
  let inside = 0
  const once = async (): Promise<void> => {
    for (let i = 0; i < 25; i++) {
      const lock = await acquire(folder, KEY, never, () => undefined)
      assert.equal(++inside, 1)
      await new Promise(setImmediate)
      inside -= 1
      lock.release()
    }
  }
  await Promise.all([once(), once(), once(), once()])
  assert.deepEqual(readdirSync(folder), [])
})

test('the lock of a process that is gone is taken over, and so is one whose pid was given to another process', async () => {
  const child = spawn('true')
  await new Promise((resolve) => child.once('exit', resolve))
  const changes: ((parts: string[]) => void)[] = [
    (parts) => (parts[1] = String(child.pid)),
    (parts) => (parts[2] = `1${parts[2]!}`), // our pid, but another start
    (parts) => (parts[2] = parts[2]!.replace(/b\w+$/, 'b00000000')), // before the machine was started again
  ]
  for (const change of changes) {
    const folder = makeFolder()
    writeFileSync(join(folder, nameLike(change)), '')
    assert.equal(await lockOnce(folder), false)
    assert.deepEqual(readdirSync(folder), [])
  }
})

test('a host holds the lock of its driver with it, and not where that was cleared away', async () => {
  const folder = makeFolder()
  const lock = await acquire(folder, KEY, never, () => undefined)
  // a host is another process
  renameSync(join(folder, readdirSync(folder)[0]!), join(folder, `.lock-${KEY}-0-${lock.token}`))
  assert.equal(holdBeside(folder, KEY, lock.token), true)
  assert.equal(readdirSync(folder).length, 2)
  lock.release()
  assert.deepEqual(readdirSync(folder), [])
  assert.equal(holdBeside(folder, KEY, lock.token), false)
  assert.deepEqual(readdirSync(folder), [])
})

test('a dead lock that cannot be removed holds nothing', async () => {
  const folder = makeFolder()
  const name = nameLike((parts) => (parts[2] = `1${parts[2]!}`))
  mkdirSync(join(folder, name))
  assert.equal(await lockOnce(folder), false)
  assert.deepEqual(readdirSync(folder), [name])
})

test('who waits long for another machine still sees that it falls silent', async () => {
  const folder = makeFolder()
  const foreign = join(
    folder,
    nameLike((parts) => (parts[0] = '0123456789abcdef')),
  )
  writeFileSync(foreign, '')
  const timer = setInterval(() => utimesSync(foreign, new Date(), new Date()), 100)
  setTimeout(() => clearInterval(timer), 3_000)
  assert.equal(await lockOnce(folder, 1_000), true)
})

test('a half-written lock holds nothing', async () => {
  const folder = makeFolder()
  writeFileSync(`${folder}/.lock-${KEY}-1234`, '')
  assert.equal(await lockOnce(folder), false)
})

test('the lock of a living process is waited for, and the wait can be broken off', async () => {
  const folder = makeFolder()
  hold(folder, KEY, 'f'.repeat(12))
  const abort = new AbortController()
  await assert.rejects(
    acquire(folder, KEY, abort.signal, () => abort.abort()),
    { name: 'AbortError' },
  )
})

test('a lock of another host is waited for as long as it is touched, then given up', async () => {
  const folder = makeFolder()
  const foreign = join(
    folder,
    nameLike((parts) => (parts[0] = '0123456789abcdef')),
  )
  writeFileSync(foreign, '')
  assert.equal(await lockOnce(folder, 300), true)
  assert.ok(!existsSync(foreign))
})

test('the living holders in a folder are told, those of another host while they touch their files', () => {
  const folder = makeFolder()
  const keys = (): string[] => [...livingKeys(folder)]
  assert.deepEqual([keys(), [...livingKeys(join(folder, 'none'))]], [[], []])
  const mine = hold(folder, KEY, '1'.repeat(12))
  assert.deepEqual(keys(), [KEY])
  rmSync(mine)
  const pid = nameLike((parts) => (parts[2] = `1${parts[2]!}`))
  writeFileSync(join(folder, pid), '')
  assert.deepEqual([keys(), readdirSync(folder)], [[], [pid]], 'looking changes nothing')
  const foreign = join(
    folder,
    nameLike((parts) => (parts[0] = 'f'.repeat(16))),
  )
  writeFileSync(foreign, '')
  assert.deepEqual(keys(), [KEY])
  // its machine's clock is a day behind, and that says nothing
  const longAgo = new Date(Date.now() - 86_400_000)
  utimesSync(foreign, longAgo, longAgo)
  assert.deepEqual(keys(), [KEY])
  assert.deepEqual([[...livingKeys(folder, 0)], readdirSync(folder)], [[], [pid, basename(foreign)].toSorted()])
})

const FOREIGN = 'a machine that is not this one'
const rivalOf = (folder: string, token: string): string => {
  const name = nameLike((parts) => {
    parts[0] = token.startsWith('0') ? '0'.repeat(16) : 'f'.repeat(16)
    parts[3] = token
  })
  writeFileSync(join(folder, name), FOREIGN)
  return join(folder, name)
}

test('who stood still and was cleared away is told so, and takes nothing of the next with him', async () => {
  const folder = makeFolder()
  const lock = await acquire(folder, KEY, never, () => undefined)
  assert.deepEqual([lock.isHeld(), lock.lost.aborted], [true, false])
  rmSync(join(folder, readdirSync(folder)[0]!))
  const rival = rivalOf(folder, 'f'.repeat(12))
  assert.deepEqual([lock.isHeld(), lock.lost.aborted], [false, true])
  lock.release()
  assert.deepEqual(readdirSync(folder), [basename(rival)])
})

test('of two machines that both have it the one whose name is greater steps back, from a living one alone', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const beats = (rival: string, lost: AbortSignal, isAlive: boolean): boolean => {
    for (let i = 0; i < 3; i++) {
      if (isAlive) utimesSync(rival, new Date(), new Date(Date.now() + i))
      t.mock.timers.tick(5_000)
      process.getBuiltinModule('node:child_process').execFileSync('sleep', ['0.02'])
    }
    return lost.aborted
  }
  for (const [token, isAlive, stepsBack] of [
    ['0'.repeat(12), true, true],
    ['0'.repeat(12), false, false],
    ['f'.repeat(12), true, false],
  ] as const) {
    const folder = makeFolder()
    const lock = await acquire(folder, KEY, never, () => undefined)
    assert.equal(beats(rivalOf(folder, token), lock.lost, isAlive), stepsBack, `${token} ${isAlive}`)
    lock.release()
  }
})

test('a lock whose folder is gone is lost, and is released without an error', async () => {
  const folder = makeFolder()
  const lock = await acquire(folder, KEY, never, () => undefined)
  renameSync(folder, `${folder}-away`)
  assert.equal(lock.isHeld(), false)
  lock.release()
  assert.equal(existsSync(folder), false)
})
