import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '../../lib/pipeline/canonical.ts'
import { claimLock, neededByRuns } from '../../lib/pipeline/live.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store } from '../../lib/pipeline/store.ts'
import { Rig, shell, stage, until } from './rig.ts'

const stages = [stage('only', shell('echo text > "$PIPELINE_OUT_TEXT"'), { out: { text: 'text.txt' } })]

test('a result that gc takes after a run has found it is made anew', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const { finished } = await rig.run(stages)
  const key = finished.stages[0]!.key as Digest
  const lock = await claimLock(store, t.signal)
  const run = rig.outcomes(stages)
  await until(() => readdirSync(rig.path('artifacts/store/.runs')).length > 0, t)
  assert.ok(neededByRuns(store)(Date.now()))
  await delay(300) // it has found the result by now, or finds none: either way it must make it
  rmSync(store.abandon('only', key), { recursive: true })
  lock.release()
  assert.deepEqual(await run, ['only: ran'])
  assert.equal(rig.read('artifacts/only/text.txt'), 'text\n')
  assert.deepEqual([readdirSync(rig.path('artifacts/store/.runs')), neededByRuns(store)(Date.now())], [[], false])
})

test('a run that is stopped while gc chooses does not wait for it', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  await rig.run(stages)
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const lock = await claimLock(store, t.signal)
  const stop = new AbortController()
  const run = rig.run(stages, { signal: stop.signal })
  await until(() => existsSync(rig.path('artifacts/store/.runs')), t)
  setTimeout(() => stop.abort(), 300)
  assert.equal((await run).failures.length, 0)
  lock.release()
})
