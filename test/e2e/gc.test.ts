import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Kept, joined } from './store-care.ts'

const names = (results: readonly { stage: string; key: string }[]): string[] =>
  results.map(({ stage, key }) => `${stage}/${key}`).sort()

test('du counts as du -b does: files with many links once, what is left and set aside too', async (t) => {
  const place = new Kept(t)
  const [first, second] = [await place.make(1), await place.make(2)]
  const [, make] = place.resultsOf(first)
  linkSync(place.path('artifacts/store', make!, 'folder/deep/0'), place.path('artifacts/store/make/.tmp-linked'))
  mkdirSync(place.path('artifacts/store/.aside'))
  writeFileSync(place.path('artifacts/store/.aside/mine'), 'x'.repeat(12_345))
  const usage = await place.du()
  const du = (...parts: string[]): number =>
    Number(execFileSync('du', ['-sb', place.path('artifacts/store', ...parts)], { encoding: 'utf8' }).split('\t')[0])
  assert.equal(usage.bytes, du())
  assert.equal(usage.asideBytes, du('.aside'))
  for (const { stage, bytes, results } of usage.stages) {
    assert.equal(bytes, du(stage))
    const sizes = results.filter((result) => `${stage}/${result.key}` !== make)
    for (const result of sizes) assert.equal(result.bytes, du(stage, result.key))
  }
  const results = usage.stages.flatMap((stage) => stage.results)
  const sum = (hash: string): number =>
    results.filter((one) => place.resultsOf(hash).includes(`${one.stage}/${one.key}`)).reduce((a, b) => a + b.bytes, 0)
  assert.deepEqual([usage.needed['current'], usage.needed['pinned']], [sum(second), 0])
  assert.deepEqual([usage.freeBytes, usage.needed['recorded']], [sum(first), sum(first) + sum(second)])
  assert.match((await place.run('du')).out, /^make +[\d.]+ kB\n(?: {2}\w{16} .*\n)? {2}\w{16} .* recorded, free$/m)
})

test('gc keeps what is pinned and what is current, removes the rest, and --dry-run says so and touches nothing', async (t) => {
  const place = new Kept(t)
  const [pinned, free, current] = [await place.make(1), await place.make(2), await place.make(3)]
  assert.equal((await place.run('pin', pinned)).code, 0)
  assert.deepEqual((await place.gc()).removed, [], 'an experiment has them')
  const freed = place.resultsOf(free)
  rmSync(place.path('artifacts/experiments', free), { recursive: true })
  const before = place.kept()
  const said = await place.gc('--dry-run')
  assert.deepEqual(place.kept(), before)
  assert.deepEqual(names(said.removed), freed)
  const done = await place.gc()
  assert.deepEqual({ ...done, dryRun: true }, said)
  assert.deepEqual(place.kept(), [...place.resultsOf(pinned), ...place.resultsOf(current)].sort())
  assert.equal((await place.du()).bytes, done.bytes)
  assert.equal(place.read('artifacts/join/text'), joined(3))
  assert.deepEqual((await place.gc()).removed, [])
  assert.match((await place.run('gc')).out, /^Nothing to remove: 0 B freed, .* in the store\n$/)
  // a pin that came with git alone, and one that cannot be read
  rmSync(place.path('artifacts/experiments', pinned), { recursive: true })
  assert.deepEqual((await place.gc()).removed, [])
  writeFileSync(place.path('experiments', pinned, 'record.json'), '{')
  const { code, errors } = await place.run('gc')
  assert.deepEqual([code, errors.includes('[PIN_UNREADABLE]')], [1, true])
  assert.ok(place.kept().includes(place.resultsOf(current)[0]!))
})

test('gc by age and by bytes takes the longest unused, those of no experiment first, and never what is needed', async (t) => {
  const place = new Kept(t)
  const hashes = [await place.make(1), await place.make(2), await place.make(3), await place.make(4)]
  const [one, two, three, four] = hashes.map((hash) => place.resultsOf(hash))
  place.age(30, ...one!, ...four!)
  place.age(10, ...two!)
  place.age(2, ...three!)
  assert.deepEqual(names((await place.gc('--age', '20')).removed), one)
  rmSync(place.path('artifacts/experiments', hashes[2]!), { recursive: true })
  const usage = await place.du()
  const most = String(usage.bytes - 1)
  const said = await place.gc('--bytes', most, '--dry-run')
  const { removed } = await place.gc('--bytes', most)
  assert.deepEqual(said.removed, removed)
  assert.equal(removed.length, 1)
  assert.ok(three!.includes(names(removed)[0]!))
  const none = await place.gc('--bytes', String((await place.du()).bytes))
  assert.deepEqual(none.removed, [])
  // used again, a result is young
  await place.make(2)
  await place.make(4)
  assert.deepEqual(
    names((await place.gc('--age', '1')).removed),
    three!.filter((name) => name !== names(removed)[0]),
  )
  const all = await place.run('gc', '--bytes', '0')
  assert.match(all.out, /the rest is needed, so that it is more than 0 B\n$/)
  assert.deepEqual(place.kept(), four)
  assert.equal((await place.run('gc', '--age', 'x')).code, 2)
})

test('gc during a run keeps what that run took and made, and the run ends right', { timeout: 60_000 }, async (t) => {
  const place = new Kept(t)
  const hash = await place.make(1)
  const [join2, make2] = place.resultsOf(await place.make(2))
  const [join1, make1] = place.resultsOf(hash)
  rmSync(place.path('artifacts/store', join1!), { recursive: true })
  place.age(5, make1!, join2!, make2!)
  place.write('hold', '')
  const run = place.start(['run', '--json', '--set', 'n=1'])
  await place.until('held')
  // no link, no record: nothing but the run needs it
  rmSync(place.path('artifacts/make'))
  rmSync(place.path('artifacts/experiments'), { recursive: true })
  const usage = await place.du()
  const needs = usage.stages.flatMap(({ results }) => results).find(({ key }) => make1!.endsWith(key))?.needs
  assert.deepEqual(needs, ['running'])
  const said = await place.gc('--bytes', '0', '--age', '0', '--dry-run')
  const { removed, leftovers } = await place.gc('--bytes', '0', '--age', '0')
  assert.deepEqual([removed, leftovers], [said.removed, said.leftovers])
  assert.deepEqual([names(removed), leftovers], [[make2], []])
  assert.ok(place.kept().includes(make1!))
  rmSync(place.path('hold'))
  assert.equal((await run.ended).code, 0)
  assert.equal(place.read('artifacts/join/text'), joined(1))
  assert.deepEqual((await place.verify()).damaged, [])
  // the run is over
  rmSync(place.path('artifacts/experiments'), { recursive: true })
  assert.deepEqual(names((await place.gc()).removed), [join2, make1])
})

test('runs and gc that go on side by side do not disturb each other', { timeout: 120_000 }, async (t) => {
  const place = new Kept(t)
  await place.make(0)
  let running = true
  const runs = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) {
      await place.make(i % 3)
      assert.equal(place.read('artifacts/join/text'), joined(i % 3))
    }
    running = false
  }
  const collects = async (): Promise<number> => {
    let removed = 0
    while (running) removed += (await place.gc('--age', '0')).removed.length
    return removed
  }
  const [, removed] = await Promise.all([runs(), collects()])
  assert.ok(removed > 0)
  assert.deepEqual((await place.verify()).damaged, [])
})

test('what a run killed with -9 left goes; its checkpoint and what failed stay until they are stale', async (t) => {
  const place = new Kept(t)
  place.write('hold', '')
  const run = place.start(['run', '--json'])
  await place.until('held')
  assert.deepEqual((await place.gc('--age', '0')).leftovers, [], 'the run lives')
  run.child.kill('SIGKILL')
  await run.ended
  // its stage ends within two seconds
  while ((await place.gc('--dry-run')).leftovers.length === 0) await delay(50)
  const said = await place.gc('--dry-run')
  const { leftovers } = await place.gc()
  assert.deepEqual(said.leftovers, leftovers)
  assert.deepEqual(
    leftovers.map(({ path }) => /\/\.[a-z]+-/.exec(path)?.[0]),
    ['/.tmp-'],
  )
  const [checkpoint, ...others] = place.beside('join')
  assert.deepEqual([checkpoint!.replace(/-.*/, ''), others], ['.checkpoint', []])
  place.age(8, `join/${checkpoint!}`)
  assert.equal((await place.gc('--age', '9')).leftovers.length, 0)
  assert.equal((await place.gc()).leftovers.length, 1)
  assert.deepEqual(place.beside('join'), [])
  assert.deepEqual(readdirSync(place.path('artifacts/store/.runs')), [])
})

const INJECT = join(import.meta.dirname, '..', 'faults', 'inject.mjs')

/** Whatever happened to gc: no half result is taken for one, and the next gc and the next run put all right. */
async function recovers(place: Kept, free: readonly string[], current: readonly string[], what: string): Promise<void> {
  const whole = await place.verify()
  assert.deepEqual([whole.code, whole.damaged], [0, []], what)
  for (const name of current) assert.ok(existsSync(place.path('artifacts/store', name)), what)
  await place.gc('--age', '0')
  assert.deepEqual(place.kept(), current, what)
  assert.deepEqual([place.beside('make'), place.beside('join')], [[], []], what)
  assert.equal(
    free.some((name) => existsSync(place.path('artifacts/store', name))),
    false,
    what,
  )
}

for (const [how, what] of [
  ['kill', 'gc killed with -9 at any moment'],
  ['power', 'the power cut at any moment of gc'],
] as const)
  test(`${what} leaves whole results or none`, { timeout: 300_000 }, async (t) => {
    const place = new Kept(t)
    const free = [...place.resultsOf(await place.make(1)), ...place.resultsOf(await place.make(2))].sort()
    const current = place.resultsOf(await place.make(3))
    cpSync(place.path('artifacts'), place.path('saved'), {
      recursive: true,
      preserveTimestamps: true,
      verbatimSymlinks: true,
    })
    const restore = (): void => {
      rmSync(place.path('artifacts'), { recursive: true })
      cpSync(place.path('saved'), place.path('artifacts'), {
        recursive: true,
        preserveTimestamps: true,
        verbatimSymlinks: true,
      })
    }
    const gc = async (env: Record<string, string>): Promise<void> => {
      Object.assign(place.env, { NODE_OPTIONS: `--import=${INJECT}`, INJECT_ONLY: 'artifacts/store', ...env })
      await place.run('gc', '--age', '0')
      for (const name of ['NODE_OPTIONS', 'INJECT_ONLY', ...Object.keys(env)]) Reflect.deleteProperty(place.env, name)
    }
    const fault = { INJECT: how, INJECT_DISK: place.root }
    await gc({ ...fault, INJECT_COUNT: place.path('count') })
    assert.deepEqual(place.kept(), current)
    const writes = Number(readFileSync(place.path('count'), 'utf8'))
    assert.ok(writes > 15, `${writes} writes`)
    let cut = 0
    for (let at = 1; at <= writes; at++) {
      restore()
      await gc({ ...fault, INJECT_AT: String(at) })
      if (place.beside('make').some((name) => name.startsWith('.tmp-'))) cut += 1
      await recovers(place, free, current, `write ${at}`)
    }
    assert.ok(cut > 0, 'no kill came between a rename and the end of its removal')
    await place.make(2)
    assert.equal(place.read('artifacts/join/text'), joined(2))
  })

test('gc killed with -9 after any time leaves whole results or none', { timeout: 120_000 }, async (t) => {
  const place = new Kept(t)
  const current = place.resultsOf(await place.make(3))
  for (const milliseconds of [100, 150, 200, 250, 300]) {
    const free = place.resultsOf(await place.make(1))
    await place.make(3)
    const { child, ended } = place.start(['gc', '--age', '0'])
    const after = milliseconds * (0.8 + 0.4 * Math.random())
    await delay(after)
    child.kill('SIGKILL')
    await ended
    await recovers(place, free, current, `after ${after} ms`)
  }
})
