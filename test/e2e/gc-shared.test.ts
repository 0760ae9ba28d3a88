import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Sharing, makeShare } from './sharing.ts'
import { Kept } from './store-care.ts'

/** Two folders, of which `part` of each, or of the second alone, is a link to one place. */
function makeTwo(t: TestContext, part: string, target?: string) {
  const [one, other] = [new Kept(t), new Kept(t)]
  const place = target ?? one.path(part)
  if (target === undefined) mkdirSync(place, { recursive: true })
  for (const folder of target === undefined ? [other] : [one, other]) {
    mkdirSync(join(folder.path(part), '..'), { recursive: true })
    symlinkSync(place, folder.path(part))
  }
  return { one, other, store: place }
}

const names = ({ removed }: Awaited<ReturnType<Kept['gc']>>): string[] =>
  removed.map(({ stage, key }) => `${stage}/${key}`).sort()

async function refused(place: Kept, message: RegExp): Promise<void> {
  const before = place.kept()
  for (const args of [['gc', '--age', '0', '--bytes', '0'], ['gc', '--dry-run'], ['du']]) {
    const { code, errors } = await place.run(...args)
    assert.deepEqual([code, errors.includes('[STORE_USER_UNREADABLE]')], [1, true], errors)
    assert.match(errors, message)
  }
  assert.deepEqual(place.kept(), before)
}

for (const [what, makeTarget] of [
  ['the first one’s own', () => undefined],
  ['on another disk', makeShare],
] as const) {
  test(`gc keeps what the other folder's experiments have, where the store is ${what}`, async (t) => {
    const { one, other } = makeTwo(t, 'artifacts/store', makeTarget(t))
    const mine = one.resultsOf(await one.make(1))
    const hash = await other.make(2)
    const theirs = other.resultsOf(hash)
    const current = other.resultsOf(await other.make(3))
    await one.make(4)
    for (const place of [one, other]) assert.deepEqual(names(await place.gc()), [])
    assert.equal((await other.run('pin', hash)).code, 0)
    rmSync(other.path('artifacts/experiments'), { recursive: true })
    // with a policy too: a pin, and what is current, in any folder
    assert.deepEqual(names(await one.gc('--age', '0')), mine)
    assert.deepEqual(names(await one.gc('--age', '0', '--bytes', '0')), [])
    rmSync(other.path('experiments'), { recursive: true })
    assert.deepEqual(names(await one.gc()), theirs)
    assert.deepEqual((await other.lines('--set', 'n=3')).code, 0)
    // one that is gone needs nothing
    rmSync(other.root, { recursive: true })
    assert.deepEqual(names(await one.gc()), current)
  })
}

test('gc keeps what is pinned in the other of two folders that share all of artifacts', async (t) => {
  const { one, other } = makeTwo(t, 'artifacts', makeShare(t))
  const hash = await other.make(1)
  assert.equal((await other.run('pin', hash)).code, 0)
  await one.make(2)
  rmSync(one.path('artifacts/experiments'), { recursive: true })
  assert.deepEqual(names(await one.gc('--age', '0')), [])
  assert.equal((await one.du()).needed['pinned'], (await other.du()).needed['pinned'])
  rmSync(other.path('experiments'), { recursive: true })
  assert.equal((await one.gc()).removed.length, 2)
})

test('gc refuses where it cannot tell what another folder needs', async (t) => {
  const { one, other, store } = makeTwo(t, 'artifacts/store', makeShare(t))
  await one.make(1)
  await other.make(2)
  rmSync(one.path('artifacts/experiments'), { recursive: true })
  // a loop of links, as unreadable for root as for anyone
  renameSync(other.path('artifacts/experiments'), other.path('kept'))
  symlinkSync('experiments', other.path('artifacts/experiments'))
  await refused(one, /Another folder uses this store.*ELOOP.*artifacts\/experiments/)
  rmSync(other.path('artifacts/experiments'))
  renameSync(other.path('kept'), other.path('artifacts/experiments'))
  const users = readdirSync(join(store, '.users')).map((name) => join(store, '.users', name))
  assert.equal(users.length, 2)
  const [file] = users.filter((name) => readFileSync(name, 'utf8').includes(other.root))
  const text = readFileSync(file!, 'utf8')
  writeFileSync(file!, '{')
  await refused(one, /note of a folder .* is not whole.* remove ".*\.users.*\.json"/)
  // another machine's, which has a folder at the same path
  const foreign = { ...(JSON.parse(text) as object), host: '0123456789abcdef' }
  writeFileSync(file!, JSON.stringify({ ...foreign, identity: '1 1' }))
  await refused(one, /on another machine/)
  // the same folder, as another machine mounts it
  writeFileSync(file!, JSON.stringify(foreign))
  assert.deepEqual(names(await one.gc()), [])
  // its next run mends the note; with a store of its own it needs nothing here
  await other.make(2)
  assert.equal(readFileSync(file!, 'utf8'), text)
  rmSync(other.path('artifacts/store'))
  assert.deepEqual((await one.gc('--age', '0')).removed.length, 2)
})

test('gc keeps what an experiment has that the other folder pulled and never ran', async (t) => {
  const [store, remote] = [makeShare(t), makeShare(t)]
  const [maker, puller] = [new Sharing(t, `file:${remote}`), new Sharing(t, `file:${remote}`)]
  const hash = String((await maker.shared()).last['experiment'])
  const one = new Kept(t)
  for (const { root } of [puller, one]) {
    mkdirSync(join(root, 'artifacts'))
    symlinkSync(store, join(root, 'artifacts/store'))
  }
  assert.equal((await puller.run('pull', hash)).code, 0)
  await one.make(5)
  assert.deepEqual(names(await one.gc()), [])
  rmSync(join(puller.root, 'artifacts/experiments'), { recursive: true })
  assert.equal((await one.gc()).removed.length, 2)
})

test('a folder that has its store to itself notes nothing in it', async (t) => {
  const place = new Kept(t)
  await place.make(1)
  assert.ok(!existsSync(place.path('artifacts/store/.users')))
})
