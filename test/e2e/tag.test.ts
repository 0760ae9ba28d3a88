import assert from 'node:assert/strict'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Kept } from './store-care.ts'

const tagsOf = async (place: Kept): Promise<Record<string, readonly string[]>> => {
  const { out } = await place.run('list', '--json')
  const { experiments } = JSON.parse(out) as { experiments: { hash: string; tags: string[] }[] }
  return Object.fromEntries(experiments.map(({ hash, tags }) => [hash, tags]))
}

test('a tag stands wherever a hash may, moves and says so, and is taken off', async (t) => {
  const place = new Kept(t)
  const [one, two] = [await place.make(1), await place.make(2)]
  assert.equal((await place.run('tag', one.slice(0, 8), 'best')).out, `best is ${one.slice(0, 16)}\n`)
  assert.equal((await place.run('tag', two, 'v1.0')).code, 0)
  assert.deepEqual(await tagsOf(place), { [one]: ['best'], [two]: ['v1.0'] })
  const json = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await place.run(...args, '--json')).out) as Record<string, unknown>
  assert.equal((await json('show', 'best'))['hash'], one)
  const difference = await json('diff', 'best', 'v1.0')
  assert.deepEqual([difference['a'], difference['b']], [one, two])
  assert.match((await place.run('reproduce', 'best')).out, /\nidentical {2}make, join\n$/)
  assert.match(
    (await place.run('report', 'best')).errors,
    new RegExp(`Experiment ${one.slice(0, 16)} has no page here`),
  )
  assert.match(
    (await place.run('export', 'best', '--to', 'x')).errors,
    new RegExp(`Experiment ${one.slice(0, 16)} has no`),
  )
  assert.equal((await json('log', 'v1.0', '--to', 'tensorboard'))['experiment'], two)
  assert.match((await place.run('show', 'best')).out, /^tags +best$/m)

  assert.deepEqual(await json('tag', 'v1.0', 'best'), { tag: 'best', hash: two, before: one })
  assert.deepEqual(await tagsOf(place), { [one]: [], [two]: ['best', 'v1.0'] })
  const moved = await place.run('tag', one, 'best')
  assert.equal(moved.out, `best is ${one.slice(0, 16)}, and no longer ${two.slice(0, 16)}\n`)
  // a new run of the same experiment keeps its tags
  await place.lines('--force')
  assert.deepEqual((await tagsOf(place))[one], ['best'])
  assert.equal((await place.run('tag', '--delete', 'best')).out, `best was ${one.slice(0, 16)}\n`)
  assert.equal((await place.run('show', 'best')).code, 2)
})

test('what cannot be a tag, or is none, is said with what to do: exit code 2', async (t) => {
  const place = new Kept(t)
  const one = await place.make(1)
  await place.run('tag', one, 'final')
  const cases: [string[], RegExp][] = [
    [['tag', one, 'cafe'], /"cafe" cannot be a tag: it could be the beginning of a hash\..* \[TAG_INVALID\]/],
    [['tag', one, 'a/b'], /"a\/b" cannot be a tag\. Tags have letters .* \[TAG_INVALID\]/],
    [['tag', one, '..'], /\[TAG_INVALID\]/],
    [['tag', one, 'nul.x'], /\[TAG_INVALID\]/],
    [['tag', one, 'Final'], /"Final" cannot be a tag beside "final": not every disk tells case apart/],
    [['tag', 'nothing', 'x'], /No experiment's hash begins with "nothing", and none is tagged so/],
    [['tag', one], /Write `pipeline tag HASH NAME`/],
    [['tag', '--delete', 'finale'], /No experiment is tagged "finale"; there are final\. Did you mean "final"\?/],
    [['show', 'finl'], /Did you mean "final"\? \[EXPERIMENT_UNKNOWN\]/],
  ]
  for (const [args, message] of cases) {
    const { code, errors, out } = await place.run(...args)
    assert.deepEqual([args.join(' '), code, out], [args.join(' '), 2, ''])
    assert.match(errors, message)
  }
  assert.deepEqual(await tagsOf(place), { [one]: ['final'] })
  // a move that was cut short
  const two = await place.make(2)
  place.write(`artifacts/experiments/${two}/tags/final`, '')
  assert.match(
    (await place.run('show', 'final')).errors,
    /"final" is a tag of 2 experiments: .* Tag one of them again\./,
  )
  await place.run('tag', two, 'final')
  assert.deepEqual(await tagsOf(place), { [one]: [], [two]: ['final'] })
})

test('gc keeps what is tagged, as long as it is; a pin takes the tags to git', async (t) => {
  const place = new Kept(t)
  const [one, two] = [await place.make(1), await place.make(2)]
  await place.run('tag', one, 'best')
  const usage = await place.du()
  const needs = usage.stages.flatMap(({ results }) => results.map(({ key, needs }) => [key, needs.join()] as const))
  const ofOne = place.resultsOf(one).map((name) => name.slice(5))
  assert.deepEqual(
    needs.filter(([key]) => ofOne.includes(key)).map(([, need]) => need),
    ['tagged', 'tagged'],
  )
  assert.ok(usage.needed['tagged']! > 0)
  assert.deepEqual((await place.gc('--age', '0')).removed, [])
  await place.run('pin', 'best')
  assert.ok(place.has(`experiments/${one}/tags/best`))
  const clone = new Kept(t)
  cpSync(place.path('experiments'), clone.path('experiments'), { recursive: true })
  assert.deepEqual(await tagsOf(clone), { [one]: ['best'] })
  await clone.run('tag', 'best', 'better')
  await clone.run('tag', '--delete', 'best')
  assert.deepEqual(await tagsOf(clone), { [one]: ['better'] })

  // a tagged experiment whose record cannot be read
  rmSync(place.path('experiments'), { recursive: true })
  rmSync(place.path('artifacts/experiments', one, 'pinned'))
  const record = place.path('artifacts/experiments', one, 'record.json')
  const text = place.read(`artifacts/experiments/${one}/record.json`)
  writeFileSync(record, '{')
  assert.match((await place.run('gc')).errors, /\[PIN_UNREADABLE\]/)
  writeFileSync(record, text)
  await place.run('tag', '--delete', 'best')
  assert.equal((await place.gc('--age', '0')).removed.length, 2)
  assert.deepEqual(place.kept(), place.resultsOf(two))
})
