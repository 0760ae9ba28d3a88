import assert from 'node:assert/strict'
import {
  chmodSync,
  cpSync,
  lstatSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, relative } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { damagedFiles } from '../../lib/pipeline/record-file.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { isKey, Store } from '../../lib/pipeline/store.ts'
import { Rig, module, shell, stage } from '../pipeline/rig.ts'

const MODULE = `export default {
  params: { type: 'object', properties: { times: { type: 'integer', default: 2 } } }, in: ['text'], out: ['text'],
  run: ({ in: { text }, out, with: { times } }) => write(out.text, readFileSync(text, 'utf8').repeat(times)) }
import { readFileSync, writeFileSync as write } from 'node:fs'
`
const stages = [
  stage('first', module('first.ts'), { in: { text: './input.txt' }, out: { text: 'text.txt' } }),
  stage(
    'second',
    shell(
      'mkdir -p "$PIPELINE_OUT_ALL/deep"; for i in a deep/b; do cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_ALL/$i"; done',
    ),
    {
      in: { text: 'first.text' },
      out: { all: 'all' },
    },
  ),
]
const pipelineOf = (rig: Rig) => rig.pipeline(stages, { page: { stage: 'first', output: 'text' } })
const experimentOf = (rig: Rig): string =>
  rig.path('artifacts/experiments', readdirSync(rig.path('artifacts/experiments')).find(isKey)!)
const FRESH = ['first: fresh', 'second: fresh']

/** Flips a bit, cuts, edits in place and removes. */
const DAMAGES: Readonly<Record<string, (file: string) => void>> = {
  'cut in half': (file) => truncateSync(file, statSync(file).size >> 1),
  emptied: (file) => truncateSync(file),
  'with a flipped bit': (file) => flip(file, statSync(file).size >> 1),
  'edited, its time as it was': (file) => {
    const { atime, mtime } = statSync(file)
    flip(file, statSync(file).size - 2)
    utimesSync(file, atime, mtime)
  },
  removed: (file) => rmSync(file),
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at]! ^= 1
  writeFileSync(file, bytes)
}

async function cleanRun(t: TestContext): Promise<Rig> {
  const rig = new Rig(t)
  rig.write('package.json', '{}')
  rig.write('input.txt', 'some text\n')
  rig.write('first.ts', MODULE)
  await run(rig)
  return rig
}

const run = (rig: Rig): Promise<string[]> => rig.outcomes(pipelineOf(rig), { joinReport: (page) => page })

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function assertRight(rig: Rig, what: string): void {
  assert.equal(rig.read('artifacts/first/text.txt'), 'some text\n'.repeat(2), what)
  assert.deepEqual(
    readdirSync(rig.path('artifacts/second/all'), { recursive: true }).sort(),
    ['a', 'deep', 'deep/b'],
    what,
  )
  for (const name of ['a', 'deep/b'])
    assert.equal(rig.read(`artifacts/second/all/${name}`), 'some text\n'.repeat(2), what)
}

/** Damages each of the files in every way, one at a time; after each a run must put all right. */
async function damageEach(
  rig: Rig,
  files: () => string[],
  expect: (outcomes: string[], file: string, what: string) => void,
) {
  let count = 0
  for (const [how, damage] of Object.entries(DAMAGES)) {
    for (const file of files()) {
      const what = `${relative(rig.root, file)}, ${how}`
      if (statSync(file).size < 2 && how !== 'removed') continue
      chmodSync(file, 0o644)
      damage(file)
      expect(await run(rig), file, what)
      assertRight(rig, what)
      assert.deepEqual(await run(rig), FRESH, what)
      assert.deepEqual(rig.notices(), [], what)
      count += 1
    }
  }
  assert.ok(count >= Object.keys(DAMAGES).length * 3, `${count} damages`)
}

const timeout = 120_000

test('any file of a result that is damaged: said, and that stage alone runs again', { timeout }, async (t) => {
  const rig = await cleanRun(t)
  const files = (): string[] =>
    ['first', 'second']
      .flatMap((name) => {
        const folder = rig.path('artifacts/store', name)
        const keys = readdirSync(folder).filter(isKey)
        return keys.flatMap((key) => filesBelow(join(folder, key)))
      })
      .filter((file) => basename(file) !== 'log.txt')
  await damageEach(rig, files, (outcomes, file, what) => {
    assert.deepEqual(rig.notices(), ['RESULT_DAMAGED'], what)
    const expected = FRESH.map((one) => (file.includes(one.replace(/: .*/, '/')) ? one.replace('fresh', 'ran') : one))
    assert.deepEqual(outcomes, expected, what)
  })
})

test('any file of an experiment that is damaged: said, and written anew', { timeout }, async (t) => {
  const rig = await cleanRun(t)
  const folder = experimentOf(rig)
  const clean = new Map(filesBelow(folder).map((file) => [file, readFileSync(file)]))
  assert.equal(clean.size, 4, [...clean.keys()].join())
  await damageEach(
    rig,
    () => filesBelow(folder),
    (outcomes, file, what) => {
      assert.deepEqual(outcomes, FRESH, what)
      if (basename(file) !== 'record.json' || !what.endsWith('removed'))
        assert.deepEqual(rig.notices(), ['RECORD_DAMAGED'], what)
      assert.deepEqual(filesBelow(folder), [...clean.keys()], what)
      if (basename(file) !== 'record.json') assert.deepEqual(readFileSync(file), clean.get(file), what)
    },
  )
})

test(
  'any file of the cache that is damaged changes nothing: no result, no key, and none is made again',
  { timeout },
  async (t) => {
    const rig = await cleanRun(t)
    await damageEach(
      rig,
      () => filesBelow(rig.path('node_modules/.cache')),
      (outcomes, _, what) => {
        assert.deepEqual(outcomes, FRESH, what)
        assert.deepEqual(rig.notices(), [], what)
      },
    )
  },
)

test('a manifest with any one bit flipped, or cut anywhere, is none', { timeout }, async (t) => {
  const rig = await cleanRun(t)
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const { stage: name, key } = store.places()[0]!
  const file = join(store.folder(name, key), 'manifest.json')
  const bytes = readFileSync(file)
  chmodSync(file, 0o644)
  for (let at = 0; at < bytes.length - 1; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= 1 << (at % 8)
    writeFileSync(file, flipped)
    assert.equal((await store.find(name, key)).state, 'damaged', `flipped at ${at}`)
    writeFileSync(file, bytes.subarray(0, at))
    assert.equal((await store.find(name, key)).state, 'damaged', `cut at ${at}`)
  }
  writeFileSync(file, bytes)
  assert.equal((await store.find(name, key)).state, 'whole')
})

test('a record with a flipped bit, or cut anywhere, is damaged', { timeout }, async (t) => {
  const rig = await cleanRun(t)
  const folder = experimentOf(rig)
  const stats = new StatCache(rig.path('cache'))
  const file = join(folder, 'record.json')
  const bytes = readFileSync(file)
  for (let at = 0; at < bytes.length - 1; at += 5) {
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= 1 << (at % 8)
    writeFileSync(file, flipped)
    assert.deepEqual(damagedFiles(folder, stats), ['record.json'], `flipped at ${at}`)
    writeFileSync(file, bytes.subarray(0, at))
    assert.deepEqual(damagedFiles(folder, stats), ['record.json'], `cut at ${at}`)
  }
  writeFileSync(file, bytes)
  assert.deepEqual(damagedFiles(folder, stats), [])
})

test('whatever is deleted of artifacts and the cache, a run puts it back', { timeout }, async (t) => {
  const rig = await cleanRun(t)
  const below = (folder: string): string[] =>
    readdirSync(rig.path(folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  const all = ['artifacts', ...below('artifacts'), 'node_modules', ...below('node_modules')]
  const saved = rig.path('saved')
  for (const folder of ['artifacts', 'node_modules'])
    cpSync(rig.path(folder), join(saved, folder), { recursive: true, verbatimSymlinks: true })
  for (const path of all) {
    for (const folder of ['artifacts', 'node_modules']) {
      rmSync(rig.path(folder), { recursive: true, force: true })
      cpSync(join(saved, folder), rig.path(folder), { recursive: true, verbatimSymlinks: true })
    }
    rmSync(rig.path(path), { recursive: true })
    const outcomes = await run(rig)
    assert.ok(
      outcomes.every((outcome) => /ran|fresh|restored/.test(outcome)),
      `${path}: ${outcomes.join()}`,
    )
    assertRight(rig, path)
    assert.deepEqual(await run(rig), FRESH, path)
    assert.ok(lstatSync(rig.path('artifacts/first')).isSymbolicLink())
  }
})
