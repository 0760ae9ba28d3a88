import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Digest } from '../../lib/pipeline/canonical.ts'
import { readManifest } from '../../lib/pipeline/manifest.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store } from '../../lib/pipeline/store.ts'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'

const timeout = 60_000
const WAITS = 'echo ran >> count; while [ ! -e go ]; do sleep 0.02; done; echo "$(cat word)" > "$PIPELINE_OUT_TEXT"'
const waits = [stage('only', shell(WAITS), { out: { text: 'text.txt' } })]

function rigOf(t: TestContext, word: string): Rig {
  const rig = new Rig(t)
  rig.write('word', word)
  return rig
}

/** What another machine made of the same key, and where. */
async function made(t: TestContext, word: string): Promise<{ readonly key: Digest; readonly folder: string }> {
  const rig = rigOf(t, word)
  rig.write('go', '')
  const key = (await rig.run(waits)).finished.stages[0]!.key! as Digest
  return { key, folder: rig.path('artifacts/store/only', key) }
}

const locks = (rig: Rig): string[] =>
  readdirSync(rig.path('artifacts/store/only')).filter((name) => name.startsWith('.lock-'))

/** Another machine clears the run's locks away, and has one of its own that it touches until it releases it. */
function takeOver(t: TestContext, rig: Rig, key: string): () => void {
  const file = rig.path('artifacts/store/only', `.lock-${key}-${'f'.repeat(16)}-1-1b1-${'f'.repeat(12)}`)
  for (const name of locks(rig)) rmSync(rig.path('artifacts/store/only', name))
  writeFileSync(file, 'on another machine')
  const timer = setInterval(() => utimesSync(file, new Date(), new Date()), 1000)
  const release = (): void => {
    clearInterval(timer)
    rmSync(file, { force: true })
  }
  t.after(release)
  return release
}

const ended = async (run: Drive) => {
  const { code } = await run.ended
  const finished = run.told.find(({ type }) => type === 'stage-finished')
  return {
    code,
    outcome: finished?.outcome,
    codes: run.told.flatMap((told) => (told.type === 'notice' ? told.code! : [])),
  }
}

test(
  'a run whose lock another machine took over stops its stage, waits, and shares what that one makes',
  { timeout },
  async (t) => {
    const other = await made(t, 'one')
    const rig = rigOf(t, 'one')
    const run = await drive(rig, waits)
    await until(() => rig.has('count'), t)
    const release = takeOver(t, rig, other.key)
    await run.hears(({ code }) => code === 'LOCK_LOST')
    await run.hears(({ code }) => code === 'LOCK_WAIT')
    cpSync(other.folder, rig.path('artifacts/store/only', other.key), { recursive: true, preserveTimestamps: true })
    release()
    const { code, outcome, codes } = await ended(run)
    assert.deepEqual([code, outcome, codes, rig.read('count')], [0, 'restored', ['LOCK_LOST', 'LOCK_WAIT'], 'ran\n'])
    assert.equal(rig.read('artifacts/only/text.txt'), 'one\n')
    const left = readdirSync(rig.path('artifacts/store/only')).filter((name) => /^\.(tmp|lock)/.test(name))
    assert.deepEqual(left, [])
  },
)

test('two machines that each take the other for dead both come to an end', { timeout }, async (t) => {
  const rig = rigOf(t, 'one')
  const run = await drive(rig, waits)
  const clear = async (times: number): Promise<void> => {
    await until(() => rig.has('count') && rig.read('count') === 'ran\n'.repeat(times), t)
    for (const name of locks(rig)) rmSync(rig.path('artifacts/store/only', name))
  }
  await clear(1)
  await clear(2)
  setTimeout(() => rig.write('go', ''), 6_000) // longer than a heartbeat
  const { code, outcome, codes } = await ended(run)
  assert.deepEqual([code, outcome, codes], [0, 'ran', ['LOCK_LOST']])
})

for (const [word, codes] of [
  ['one', []],
  ['other', ['NOT_DETERMINISTIC']],
] as const) {
  test(
    `a machine that wakes up and publishes ${word === 'one' ? 'the same' : 'other'} bytes after another: the first stays`,
    { timeout },
    async (t) => {
      const first = await made(t, 'one')
      const rig = rigOf(t, word)
      const run = await drive(rig, waits)
      await run.hears(({ type }) => type === 'stage-started')
      cpSync(first.folder, rig.path('artifacts/store/only', first.key), { recursive: true, preserveTimestamps: true })
      rig.write('go', '')
      const told = await ended(run)
      assert.deepEqual([told.code, told.outcome, told.codes], [0, 'ran', codes])
      assert.equal(rig.read('artifacts/only/text.txt'), 'one\n')
      assert.deepEqual(await rig.outcomes(waits), ['only: fresh'])
    },
  )
}

/** A store with a result in the making, and the manifest of what another machine made of its key. */
async function makeStore(t: TestContext) {
  const { key, folder } = await made(t, 'one')
  const rig = new Rig(t)
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const work = store.begin('only', key)
  writeFileSync(join(work.result, 'text.txt'), 'one\n')
  const manifest = readManifest(folder, key)!
  return { store, key, folder, work, manifest: { ...manifest, ran: { ...manifest.ran, at: 'later' } } }
}

test('a result that comes in the way of the rename is the first, and what was made stays to be compared', async (t) => {
  const { store, key, folder, work, manifest } = await makeStore(t)
  cpSync(folder, store.folder('only', key), { recursive: true, preserveTimestamps: true })
  const first = await store.publish(work, 'only', manifest)
  assert.deepEqual(first, readManifest(folder, key))
  assert.ok(readdirSync(work.result).includes('text.txt'))
  assert.equal((await store.find('only', key)).state, 'whole')
})

test('what lies in the way of the rename and is no result is moved aside', async (t) => {
  const { store, key, work, manifest } = await makeStore(t)
  mkdirSync(store.folder('only', key))
  writeFileSync(join(store.folder('only', key), 'precious'), '')
  assert.equal(await store.publish(work, 'only', manifest), undefined)
  assert.deepEqual(readManifest(store.folder('only', key), key), manifest)
  const [aside] = readdirSync(join(store.root, '.aside'))
  assert.deepEqual(readdirSync(join(store.root, '.aside', aside!)), ['precious'])
})

test('a rename whose answer was lost has published all the same', async (t) => {
  const { store, key, work, manifest } = await makeStore(t)
  const late = store.publish(work, 'only', manifest)
  await late
  renameSync(store.folder('only', key), store.folder('only', `${key}-done`))
  const again = store.begin('only', key)
  renameSync(store.folder('only', `${key}-done`), store.folder('only', key))
  const { placeResult } = await import('../../lib/pipeline/place-result.ts')
  rmSync(again.result, { recursive: true })
  const placed = await placeResult(again.result, store.folder('only', key), manifest, () => assert.fail('retired'))
  assert.equal(placed, undefined)
})

test('who begins clears what a dead run left, and not what another holder is making', async (t) => {
  const { store, key, work } = await makeStore(t)
  const parent = store.stageFolder('only')
  const token = '0123456789ab'
  mkdirSync(join(parent, `.tmp-${key}-x-${token}`))
  writeFileSync(join(parent, `.lock-${key}-${'f'.repeat(16)}-1-1b1-${token}`), '')
  store.begin('only', key)
  const left = readdirSync(parent).filter((name) => name.startsWith('.tmp-'))
  assert.equal(left.length, 2)
  assert.ok(left.includes(`.tmp-${key}-x-${token}`) && !left.some((name) => work.folder.endsWith(name)))
})
