import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
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
  const longAgo = new Date(Date.now() - 7_200_000)
  utimesSync(foreign, longAgo, longAgo)
  assert.deepEqual(keys(), [])
})
