import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { assertRight, rigWithInput, two } from '../faults/recover.ts'
import { Rig } from '../pipeline/rig.ts'

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
