import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { assertRight, rigWithInput, two } from '../faults/recover.ts'
import { drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'

const FRESH = ['first: fresh', 'second: fresh']

/** A disk of its own, and how to mount it anew. */
function disk(t: TestContext): { readonly path: string; readonly remount: (how: string) => void } {
  const path = new Rig(undefined).root
  t.after(() => {
    execFileSync('umount', [path])
    rmSync(path, { recursive: true })
  })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path])
  return { path, remount: (how) => execFileSync('mount', ['-o', `remount,${how}`, path]) }
}

for (const place of ['artifacts/store', 'artifacts']) {
  test(`two folders whose ${place} is a link to one place on another disk share their results`, async (t) => {
    const { path, remount } = disk(t)
    const [one, other] = [rigWithInput(t), rigWithInput(t)]
    for (const rig of [one, other]) {
      if (place !== 'artifacts') mkdirSync(rig.path('artifacts'))
      symlinkSync(path, rig.path(place))
    }
    assert.deepEqual(await one.outcomes(two), ['first: ran', 'second: ran'])
    const shared = place === 'artifacts' ? FRESH : ['first: restored', 'second: restored']
    assert.deepEqual(await other.outcomes(two), shared)
    rmSync(other.path('artifacts/first'))
    other.write('artifacts/first', 'precious')
    assert.deepEqual(await other.outcomes(two), ['first: restored', 'second: fresh'])
    assert.deepEqual(other.notices(), ['MOVED_ASIDE'])
    const said = other.events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])).join()
    assert.equal(readFileSync(/moved to "(.*?)"/.exec(said)![1]!, 'utf8'), 'precious')
    remount('ro')
    for (const rig of [one, other]) {
      assert.deepEqual(await rig.outcomes(two), FRESH)
      assertRight(rig, two)
    }
    writeFileSync(one.path('input.txt'), 'other')
    const { failures } = await one.run(two)
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['NOT_WRITABLE'],
    )
    remount('rw')
    assert.deepEqual(await one.outcomes(two), ['first: ran', 'second: ran'])
  })
}

test('a disk that is unmounted while a stage runs: the run fails and names it, and nothing is made below its mount', async (t) => {
  const rig = rigWithInput(t)
  const path = rig.path('artifacts/store')
  mkdirSync(path, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path])
  const waits = [
    stage('first', shell('touch started; while [ ! -e go ]; do sleep 0.02; done; echo a > "$PIPELINE_OUT_TEXT"'), {
      out: { text: 'text.txt' },
    }),
  ]
  const run = await drive(rig, waits)
  await until(() => rig.has('started'), t)
  execFileSync('umount', ['--lazy', path])
  rig.write('go', '')
  const { code } = await run.ended
  const failures = run.told.filter(({ type }) => type === 'failure')
  assert.deepEqual([code, failures.map((failure) => failure.code)], [1, ['STORE_MISSING']])
  assert.deepEqual(readdirSync(path), [])
})
