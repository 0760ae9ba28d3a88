import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../../lib/pipeline/canonical.ts'
import { FileRemote } from '../../../lib/pipeline/remote/file-remote.ts'
import { newNote, noteText, parseNote } from '../../../lib/pipeline/remote/lease-note.ts'
import { Leases } from '../../../lib/pipeline/remote/lease.ts'
import { joinedText, Sharing, makeShare } from '../../e2e/sharing.ts'
import { outcomes } from '../../e2e/command.ts'
import type { Line } from '../../e2e/command.ts'

const PLACE = { stage: 'make', key: sha256('a') }
const TIMES = { renew: 100, expiry: 600, poll: 5 }
const { signal } = new AbortController()
const never = (): boolean => false

function makeRemote(t: TestContext) {
  const folder = makeShare(t)
  const remote = new FileRemote({ kind: 'file', text: `file:${folder}`, folder })
  const leases = () => new Leases(() => Promise.resolve(remote), TIMES)
  return { folder, leases, file: join(folder, 'leases/make', `${PLACE.key}.json`) }
}

/** As another machine writes it. */
const foreign = (more = {}): string => noteText({ ...newNote(), host: 'f'.repeat(16), name: 'node7', ...more })

test('of two that ask for one lease one has it, renews it, and the other has it when it is released', async (t) => {
  const { leases, file } = makeRemote(t)
  const [one, other] = [leases(), leases()]
  assert.equal(await one.take(PLACE), undefined)
  const taken = await other.take(PLACE)
  assert.equal(taken?.text, readFileSync(file, 'utf8'))
  // longer than it lasts without being renewed
  const waited = other.wait(taken, signal, never).then(() => 'waited')
  assert.equal(await Promise.race([waited, delay(2 * TIMES.expiry, 'waits')]), 'waits')
  await one.release(PLACE)
  assert.equal(await waited, 'waited')
  assert.equal(existsSync(file), false)
  assert.equal(await other.take(PLACE), undefined)
  await other.release(PLACE)
  assert.deepEqual([existsSync(file), one.trouble, other.trouble], [false, undefined, undefined])
})

test('a lease that is not renewed expires, and who waited takes turns', async (t) => {
  const { leases, file } = makeRemote(t)
  const lease = leases()
  await lease.take(PLACE)
  await lease.release(PLACE)
  writeFileSync(file, foreign({ since: '1970-01-01T00:00:00.000Z' }))
  const waiters = Array.from({ length: 4 }, leases)
  const started = performance.now()
  const ends = waiters.map(async (one) => {
    for (let taken = await one.take(PLACE); taken !== undefined; taken = await one.take(PLACE)) {
      await one.wait(taken, signal, never)
    }
    await delay(TIMES.renew)
    await one.release(PLACE)
  })
  await Promise.all(ends)
  assert.ok(performance.now() - started > TIMES.expiry)
  assert.equal(existsSync(file), false)
})

test('a lease of a process of this machine that is dead is broken at once; half a lease when it expires', async (t) => {
  const { leases, file } = makeRemote(t)
  const one = leases()
  await one.take(PLACE)
  const own = parseNote(readFileSync(file, 'utf8'))!
  await one.release(PLACE)
  writeFileSync(file, JSON.stringify({ ...own, start: '1b1' }))
  assert.equal(await one.take(PLACE), undefined)
  await one.release(PLACE)
  writeFileSync(file, '{"tok')
  const taken = await one.take(PLACE)
  assert.ok(taken)
  await one.wait(taken, signal, never)
  assert.equal(await one.take(PLACE), undefined)
})

test('who lost his lease while he stood still neither renews nor removes the next one', async (t) => {
  const { leases, file } = makeRemote(t)
  const one = leases()
  await one.take(PLACE)
  const next = foreign()
  writeFileSync(file, next)
  await delay(3 * TIMES.renew)
  await one.release(PLACE)
  assert.equal(readFileSync(file, 'utf8'), next)
})

test('a wait ends with the run, and when nothing is to be started any more', async (t) => {
  const { leases, file } = makeRemote(t)
  const one = leases()
  await one.take(PLACE)
  await one.release(PLACE)
  writeFileSync(file, foreign())
  const taken = (await one.take(PLACE))!
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 50)
  await one.wait(taken, stop.signal, never)
  let looks = 0
  await one.wait(taken, signal, () => ++looks > 2)
  assert.equal(looks, 3)
})

test('leases that cannot be had are asked for once, and all go without', async (t) => {
  const { folder, leases } = makeRemote(t)
  writeFileSync(join(folder, 'leases'), 'no folder')
  const one = leases()
  assert.equal(await one.take(PLACE), undefined)
  assert.match(String(one.trouble), /cannot be written/)
  rmSync(join(folder, 'leases'))
  assert.equal(await one.take(PLACE), undefined)
  await one.release(PLACE)
  assert.equal(existsSync(join(folder, 'leases')), false)
})

/** Runs, and tells what `make` does with the file `go`. */
const HELD = `import { existsSync } from 'node:fs'
while (!existsSync(process.env.GO)) await new Promise((resolve) => setTimeout(resolve, 20))
`

test(
  'of two projects with one remote that need the same at once, one makes it and the other waits and pulls',
  { timeout: 120_000 },
  async (t) => {
    const share = makeShare(t)
    const go = join(share, 'go')
    const places = [0, 1].map(() => new Sharing(t, `file:${share}`, { GO: go }))
    for (const place of places) {
      place.write('make.mjs', HELD + place.read('make.mjs'))
      place.write(
        'pipeline.yaml',
        place.read('pipeline.yaml').replace('    out: [folder]', '    env: [GO]\n    out: [folder]'),
      )
    }
    const first = places[0]!.start(['run', '--json'])
    while (!existsSync(join(share, 'leases/make'))) await delay(20)
    const second = places[1]!.start(['run', '--json'])
    const said: string[] = []
    second.child.stdout!.on('data', (text: string) => said.push(text))
    while (!said.join('').includes('LOCK_WAIT')) await delay(20)
    writeFileSync(go, '')
    const ends = (await Promise.all([first.ended, second.ended])).map(({ out }) =>
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line),
    )
    assert.deepEqual(
      ends.map((lines) => outcomes(lines.at(-1)!)[0]),
      ['make: ran', 'make: restored'],
    )
    const notices = ends[1]!.filter(({ type }) => type === 'notice')
    assert.match(
      String(notices[0]!['message']),
      /^"make" waits for process \d+ on .*, since 20.* UTC, which makes the same result, as "leases\/make\/\w{64}\.json" in the remote "file:/,
    )
    assert.equal(places.filter((place) => place.ran().includes('make')).length, 1)
    assert.ok(places.every((place) => place.read('artifacts/join/text') === joinedText(1)))
    const { FileRemote: Remote } = await import('../../../lib/pipeline/remote/file-remote.ts')
    assert.deepEqual(await new Remote({ kind: 'file', text: '', folder: share }).list('leases/'), [])
  },
)

test('a stage that fails lets the other machine try at once', { timeout: 120_000 }, async (t) => {
  const share = makeShare(t)
  const place = new Sharing(t, `file:${share}`)
  place.write('make.mjs', 'process.exit(1)')
  assert.equal((await place.run('run')).code, 1)
  place.write('make.mjs', `${place.read('make.mjs')} // again`)
  assert.equal((await place.run('run')).code, 1)
  assert.ok(existsSync(join(share, 'leases/make')))
  const remote = new FileRemote({ kind: 'file', text: '', folder: share })
  assert.deepEqual(await remote.list('leases/'), [])
})
