import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Kept } from './store-care.ts'

/** A place with an experiment, and its reproduction held in the middle. */
async function reproducing(t: TestContext) {
  const place = new Kept(t)
  const hash = await place.make(1)
  place.write('hold', '')
  const { child, ended } = place.start(['reproduce', hash, '--json'])
  await place.until('held')
  return { place, hash, child, ended }
}

const reproductions = (place: Kept): string[] =>
  readdirSync(place.path('artifacts')).filter((name) => name.startsWith('.reproduce-'))

const bytesOf = (path: string): number => Number(execFileSync('du', ['-sb', path], { encoding: 'utf8' }).split('\t')[0])

/** Until gc would take the folder: a stage ends within two seconds of its driver. */
async function untilFree(place: Kept): Promise<void> {
  for (let i = 0; i < 40 && (await place.gc('--dry-run')).leftovers.length === 0; i++) await delay(50)
}

test('gc removes what a reproduction killed with -9 left, du counts it', { timeout: 60_000 }, async (t) => {
  const { place, child, ended } = await reproducing(t)
  const [folder] = reproductions(place)
  assert.ok((await place.du()).reproducedBytes > 60_000)
  assert.deepEqual((await place.gc('--age', '0')).leftovers, [], 'it lives')
  child.kill('SIGKILL')
  await ended
  await untilFree(place)
  const [before, bytes] = [await place.du(), bytesOf(place.path('artifacts', folder!))]
  assert.equal(before.reproducedBytes, bytes)
  assert.equal(before.bytes, bytesOf(place.path('artifacts/store')))
  const said = await place.gc('--dry-run')
  const collected = await place.gc()
  assert.deepEqual({ ...collected, dryRun: true }, said)
  assert.deepEqual(collected.leftovers, [{ path: place.path('artifacts', folder!), bytes }])
  assert.deepEqual([collected.freedBytes, collected.bytes, collected.removed], [bytes, before.bytes, []])
  assert.deepEqual(reproductions(place), [])
  assert.equal((await place.du()).reproducedBytes, 0)
  assert.match((await place.run('gc')).out, /^Nothing to remove: 0 B freed/)
})

test('a reproduction ends well beside gc, with nothing left of it', { timeout: 60_000 }, async (t) => {
  const { place, ended } = await reproducing(t)
  assert.deepEqual((await place.gc('--age', '0', '--bytes', '0')).leftovers, [])
  rmSync(place.path('hold'))
  assert.equal((await ended).code, 0)
  assert.deepEqual(reproductions(place), [])
})

test('what differs is kept for a look, for 7 days or as long as --age says', { timeout: 60_000 }, async (t) => {
  const { place, hash, ended } = await reproducing(t)
  place.write('join.mjs', "import { writeFileSync } from 'node:fs'\nwriteFileSync(process.argv[3], 'other')\n")
  rmSync(place.path('hold'))
  assert.equal((await ended).code, 0, 'it was started with the old program')
  assert.equal((await place.run('reproduce', hash)).code, 1)
  const [folder] = reproductions(place)
  assert.deepEqual((await place.gc()).leftovers, [])
  assert.match((await place.run('du')).out, /\nreproduced +[\d.]+ kB +artifacts\/\.reproduce-\*/)
  place.age(8, `../${folder!}`)
  assert.deepEqual((await place.gc('--age', '9')).leftovers, [])
  assert.equal((await place.gc()).leftovers.length, 1)
  assert.deepEqual(reproductions(place), [])
})

test('one that a killed gc had begun to remove goes too, where there is no store at all', async (t) => {
  const { place, hash, child, ended } = await reproducing(t)
  child.kill('SIGKILL')
  await ended
  await untilFree(place)
  const [folder] = reproductions(place)
  cpSync(place.path('artifacts', folder!, 'store/make'), place.path('artifacts/.reproduce-gone-1'), { recursive: true })
  rmSync(place.path('artifacts/store'), { recursive: true })
  rmSync(place.path('artifacts/experiments', hash), { recursive: true })
  assert.match((await place.run('du')).out, /\nreproduced +\d/)
  assert.equal((await place.gc()).leftovers.length, 2)
  assert.deepEqual([reproductions(place), existsSync(place.path('artifacts/experiments'))], [[], true])
})
