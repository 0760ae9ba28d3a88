import assert from 'node:assert/strict'
import { chmodSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kept, joined } from './store-care.ts'

/** Damages a result folder of "make" and gives the place that must be named. */
const DAMAGES: Readonly<Record<string, (folder: string) => { path: string; expected: RegExp; found: RegExp }>> = {
  'with one flipped byte': (folder) => {
    const file = writable(join(folder, 'folder/deep/7'))
    const bytes = readFileSync(file)
    bytes[1234]! ^= 1
    writeFileSync(file, bytes)
    return { path: 'folder/deep/7', expected: /^\w{64}$/, found: /^\w{64}$/ }
  },
  'cut short': (folder) => {
    truncateSync(writable(join(folder, 'folder/deep/8')), 5)
    return { path: 'folder/deep/8', expected: /^\w{64}$/, found: /^\w{64}$/ }
  },
  'that lost a file': (folder) => {
    rmSync(join(folder, 'folder/deep/9'))
    return { path: 'folder/deep/9', expected: /^\w{64}$/, found: /^null$/ }
  },
  'that lost an output': (folder) => {
    rmSync(join(folder, 'folder'), { recursive: true })
    return { path: 'folder/deep/0', expected: /^\w{64}$/, found: /^null$/ }
  },
  'with a file too many': (folder) => {
    writeFileSync(join(folder, 'folder/new'), '')
    return { path: 'folder/new', expected: /^null$/, found: /^\w{64}$/ }
  },
  'with a file that became a program': (folder) => {
    chmodSync(join(folder, 'folder/deep/3'), 0o555)
    return { path: 'folder', expected: /^\w{64}$/, found: /^\w{64}$/ }
  },
  'with a flipped letter in its manifest': (folder) => {
    const file = writable(join(folder, 'manifest.json'))
    writeFileSync(file, readFileSync(file, 'utf8').replace('"seconds": ', '"seconds": 1'))
    return { path: 'manifest.json', expected: /^\w{64}$/, found: /^\w{64}$/ }
  },
  'without its manifest': (folder) => {
    rmSync(join(folder, 'manifest.json'))
    return { path: 'manifest.json', expected: /^null$/, found: /^null$/ }
  },
}

function writable(file: string): string {
  chmodSync(file, 0o644)
  return file
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`verify names a result ${what}, moves it aside, and the next run makes it anew`, async (t) => {
    const place = new Kept(t)
    await place.make(1)
    const whole = await place.verify()
    assert.deepEqual([whole.code, whole.results, whole.damaged], [0, 2, []])
    assert.equal(whole.bytes, 2 * joined(1).length, 'every byte is read')
    const [key] = place.results('make')
    const expected = damage(place.path('artifacts/store/make', key!))
    const { code, damaged } = await place.verify()
    assert.deepEqual([code, damaged.length], [1, 1])
    assert.deepEqual([damaged[0]!.stage, damaged[0]!.key], ['make', key])
    const [named] = damaged[0]!.damage
    assert.equal(named!.path, expected.path)
    assert.match(String(named!.expected), expected.expected)
    assert.match(String(named!.found), expected.found)
    assert.notEqual(named!.expected, named!.path === 'manifest.json' ? undefined : named!.found)
    assert.deepEqual([place.results('make'), readdirSync(place.path('artifacts/store/.aside')).length], [[], 1])
    assert.equal((await place.verify()).code, 0, 'what was moved aside is no result')
    await place.make(1)
    assert.equal(place.read('artifacts/make/folder/deep/7'), '1 '.repeat(1000))
    assert.deepEqual((await place.verify()).damaged, [])
  })
}

test('verify says all in words', async (t) => {
  const place = new Kept(t)
  await place.make(1)
  assert.match((await place.run('verify')).out, /^2 results, 120\.0 kB read: all whole\n$/)
  DAMAGES['cut short']!(place.path('artifacts/store/make', place.results('make')[0]!))
  const { code, out } = await place.run('verify')
  assert.equal(code, 1)
  assert.match(
    out,
    /^damaged artifacts\/store\/make\/\w{64}\/folder\/deep\/8\n {2}expected \w{64}\n {2}found {4}\w{64}\n {2}moved to artifacts\/store\/\.aside\/make-\w+-\w+; the next run makes it anew\n2 results, .* read: 1 damaged\n$/,
  )
})

test('in a folder without results there is nothing to measure, to remove or to verify', async (t) => {
  const place = new Kept(t)
  for (const command of ['du', 'gc', 'verify']) assert.equal((await place.run(command)).code, 0)
  assert.equal(place.has('artifacts'), false)
})
