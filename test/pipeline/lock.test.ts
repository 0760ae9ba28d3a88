import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { acquire, hold, holdBeside } from '../../lib/pipeline/lock.ts'
import { drive } from './drive.ts'
import { Rig, shell, stage } from './rig.ts'

const KEY = 'ab'.repeat(32)
const never = new AbortController().signal

/** Locks once, noting whether it had to wait. */
async function lockOnce(folder: string, silenceMs?: number): Promise<boolean> {
  let waited = false
  const lock = await acquire(folder, KEY, never, () => (waited = true), silenceMs)
  lock.release()
  return waited
}

const folderOf = (rig: Rig): string => {
  mkdirSync(rig.path('store'))
  return rig.path('store')
}

/** The name of a lock that this process would hold, with some parts (0 host, 1 pid, 2 start) replaced. */
function nameLike(rig: Rig, replace: (parts: string[]) => void): string {
  const file = hold(rig.root, KEY, 'f'.repeat(12))
  rmSync(file)
  const parts = basename(file).split('-').slice(2)
  replace(parts)
  return [`.lock-${KEY}`, ...parts].join('-')
}

test('two in one process take turns, in one hundred tries of four', async (t) => {
  const folder = folderOf(new Rig(t))
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

test('the lock of a process that is gone is taken over, and so is one whose pid was given to another process', async (t) => {
  const child = spawn('true')
  await new Promise((resolve) => child.once('exit', resolve))
  const changes: ((parts: string[]) => void)[] = [
    (parts) => (parts[1] = String(child.pid)),
    (parts) => (parts[2] = `1${parts[2]!}`), // our pid, but another start
    (parts) => (parts[2] = parts[2]!.replace(/b\w+$/, 'b00000000')), // before the machine was started again
  ]
  for (const change of changes) {
    const rig = new Rig(t)
    const folder = folderOf(rig)
    writeFileSync(join(folder, nameLike(rig, change)), '')
    assert.equal(await lockOnce(folder), false)
    assert.deepEqual(readdirSync(folder), [])
  }
})

test('a host holds the lock of its driver with it, and not where that was cleared away', async (t) => {
  const folder = folderOf(new Rig(t))
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

test('a half-written lock holds nothing', async (t) => {
  const folder = folderOf(new Rig(t))
  writeFileSync(`${folder}/.lock-${KEY}-1234`, '')
  assert.equal(await lockOnce(folder), false)
})

test('the lock of a living process is waited for, and the wait can be broken off', async (t) => {
  const folder = folderOf(new Rig(t))
  hold(folder, KEY, 'f'.repeat(12))
  const abort = new AbortController()
  await assert.rejects(
    acquire(folder, KEY, abort.signal, () => abort.abort()),
    { name: 'AbortError' },
  )
})

test('a lock of another host is waited for as long as it is touched, then given up', async (t) => {
  const rig = new Rig(t)
  const folder = folderOf(rig)
  const foreign = join(
    folder,
    nameLike(rig, (parts) => (parts[0] = '0123456789abcdef')),
  )
  writeFileSync(foreign, '')
  assert.equal(await lockOnce(folder, 300), true)
  assert.ok(!existsSync(foreign))
})

test('of two runs at once one makes the result, and the other waits and shares it', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  const script =
    'echo ran >> count; while [ ! -e go ]; do sleep 0.02; done; cp "$PIPELINE_IN_TEXT" "$PIPELINE_OUT_TEXT"'
  const stages = [stage('only', shell(script), { in: { text: './input.txt' }, out: { text: 'text.txt' } })]
  const one = await drive(rig, stages)
  await one.hears((told) => told.type === 'stage-started')
  const two = await drive(rig, stages)
  await two.hears((told) => told.code === 'LOCK_WAIT')
  rig.write('go', '')
  assert.deepEqual([(await one.ended).code, (await two.ended).code], [0, 0])
  assert.equal(rig.read('count'), 'ran\n')
  const outcome = (told: typeof one.told) => told.find((event) => event.type === 'stage-finished')?.outcome
  assert.equal(outcome(one.told), 'ran')
  assert.match(String(outcome(two.told)), /restored|fresh/)
})

test(
  'two runs at once of different stages of one pipeline do not disturb each other',
  { timeout: 60_000 },
  async (t) => {
    const rig = new Rig(t)
    const make = (name: string) =>
      stage(name, shell(`echo ${name} > "$PIPELINE_OUT_TEXT"`), { out: { text: 'text.txt' } })
    const runs = await Promise.all([drive(rig, [make('a')]), drive(rig, [make('a')]), drive(rig, [make('a')])])
    assert.deepEqual(await Promise.all(runs.map(async (run) => (await run.ended).code)), [0, 0, 0])
    assert.equal(readFileSync(rig.path('artifacts/a/text.txt'), 'utf8'), 'a\n')
  },
)
