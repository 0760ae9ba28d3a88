import assert from 'node:assert/strict'
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { RepeatedStage } from '../../lib/pipeline/event.ts'
import { Place } from './command.ts'

const PIPELINE = `version: 1
params: { word: a }
stages:
  first:
    cmd: [sh, -c, 'printf %s "$0" > "$1"', '\${word}', '\${out.text}']
    out: [text]
  make:
    cmd: [node, make.mjs, '\${in.text}', '\${out.folder}', '\${out.same}']
    in: { text: first.text }
    out: [folder, same]
  cells:
    cmd: [sh, -c, '[ "$0" = 1 ] || od -An -N8 -tx1 /dev/urandom > /dev/null; echo "$0" > "$1"', '\${with.k}', '\${out.text}']
    matrix: { k: [1, 2] }
    with: { k: '\${matrix.k}' }
    out: [text]
  none: { cmd: ['true'] }
`

const MAKE = `import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
const [text, folder, same] = process.argv.slice(2)
if (existsSync('hold')) writeFileSync('held', '')
while (existsSync('hold')) await setTimeout(20)
if (existsSync('broken')) process.exit(3)
const noise = existsSync('noisy') ? 1 : 0
mkdirSync(folder)
writeFileSync(folder + '/metrics.json', JSON.stringify({ acc: { student: 0.5 + noise, teacher: 1 } }))
writeFileSync(folder + '/log.txt', 'one\\ntwo' + noise + '\\n')
writeFileSync(folder + '/bytes', new Uint8Array([0, 1, noise]))
writeFileSync(folder + '/stays', readFileSync(text))
if (noise) writeFileSync(folder + '/more', '')
writeFileSync(same, 'same')
`

/** Names below a folder, what kind of thing each is and what it holds; the store's own notes left out. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/\.(lock|runs|failed)/.test(name))
    .sort()
    .map((name) => {
      const stat = lstatSync(join(folder, name))
      if (stat.isSymbolicLink()) return `${name} -> ${readlinkSync(join(folder, name))}`
      return stat.isFile() ? `${name} ${stat.ino} ${stat.mtimeMs} ${readFileSync(join(folder, name), 'base64')}` : name
    })
}

function project(t: ConstructorParameters<typeof Place>[0]): Place {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  place.write('make.mjs', MAKE)
  return place
}

async function twice(place: Place, ...args: string[]): Promise<{ code: number | null; stages: RepeatedStage[] }> {
  const { code, out } = await place.run('verify', '--twice', ...args, '--json')
  const last = JSON.parse(out.trimEnd().split('\n').at(-1)!) as { type: string; stages: RepeatedStage[] }
  assert.equal(last.type, 'repeated')
  return { code, stages: last.stages }
}

it('a stage that gives the same bytes is identical: exit code 0, and nothing is left', async (t) => {
  const place = project(t)
  await place.lines()
  const before = contents(join(place.root, 'artifacts'))
  const { code, stages } = await twice(place, 'make')
  assert.deepEqual([code, stages.map(({ result }) => result), stages[0]!.kept], [0, ['identical'], null])
  assert.ok(stages[0]!.seconds > 0)
  const cells = await twice(place, 'cells')
  assert.deepEqual(
    cells.stages.map(({ name, result }) => `${name}: ${result}`),
    ['cells[1]: identical', 'cells[2]: identical'],
  )
  assert.deepEqual(contents(join(place.root, 'artifacts')), before)
  assert.deepEqual(
    readdirSync(join(place.root, 'artifacts/store/make')).filter((name) => name.startsWith('.')),
    [],
  )
  assert.match(
    (await place.run('verify', '--twice', 'make')).out,
    /^start {4}make {2}a second time, to compare\nidentical {2}make {2}[\d.]+ s\n$/,
  )
})

it('names each file that comes out otherwise and the first place in it; the stored result stays', async (t) => {
  const place = project(t)
  await place.lines()
  const before = contents(join(place.root, 'artifacts'))
  place.write('noisy', '')
  const { code, stages } = await twice(place, 'make')
  const [stage] = stages
  assert.deepEqual([code, stage!.result, stages.length], [1, 'different', 1])
  assert.deepEqual(
    stage!.files.map(({ path, place, first, second }) => `${path}: ${place}: ${first}, ${second}`).sort(),
    [
      'folder/bytes: byte 2: 00, 01',
      'folder/log.txt: line 2, column 4: "0\\n", "1\\n"',
      'folder/metrics.json: acc.student: 0.5, 1.5',
      'folder/more: : none, a file',
    ],
  )
  assert.equal(readFileSync(join(stage!.kept!, 'folder/log.txt'), 'utf8'), 'one\ntwo1\n')
  assert.deepEqual(contents(join(place.root, 'artifacts')), before)
  const { code: again, out } = await place.run('verify', '--twice', 'make')
  assert.equal(again, 1)
  assert.match(
    out,
    /\ndifferent {2}make {2}[\d.]+ s\n( {2}folder\/.*\n){4} {2}the stored result stays; the second is in /,
  )
  assert.match(out, /^ {2}folder\/metrics\.json {2}acc\.student +0\.5, then 1\.5$/m)
  await place.run('gc')
  assert.ok(!existsSync(stage!.kept!))
})

it('of an older result the link stays where it is', async (t) => {
  const place = project(t)
  await place.lines()
  await place.lines('--set', 'word=b')
  const before = contents(join(place.root, 'artifacts'))
  assert.equal((await twice(place, 'make')).code, 0)
  assert.deepEqual(contents(join(place.root, 'artifacts')), before)
  assert.equal((await twice(place, 'make', '--set', 'word=b')).code, 0)
  assert.deepEqual(contents(join(place.root, 'artifacts')), before)
})

it('a stage that is unknown, has no result or no outputs is a mistake; one that fails the second time is exit code 1', async (t) => {
  const place = project(t)
  const cases: [string[], RegExp][] = [
    [['--twice', 'mak'], /There is no stage "mak"; did you mean "make"\?/],
    [['--twice', 'make'], /"make" has no result .* Run `pipeline run 'make'` first\. \[RESULT_MISSING\]/],
    [['--twice', 'none'], /"none" has no outputs: there is nothing to compare\./],
    [['--set', 'word=b'], /--recipe and --set are for `--twice`/],
  ]
  for (const [args, message] of cases) {
    const { code, errors, out } = await place.run('verify', ...args)
    assert.deepEqual([args, code, out], [args, 2, ''])
    assert.match(errors, message)
  }
  await place.lines()
  place.write('broken', '')
  const { code, errors, out } = await place.run('verify', '--twice', 'make')
  assert.equal(code, 1)
  assert.match(errors, /ended with exit code 3/)
  assert.match(out, /\nfailed {5}make /)
  assert.equal(place.results('make').length, 1)
})

it('is stopped by Ctrl-C: the stored result stays', { timeout: 60_000 }, async (t) => {
  const place = project(t)
  await place.lines()
  const before = contents(join(place.root, 'artifacts'))
  place.write('hold', '')
  const { child, ended } = place.start(['verify', '--twice', 'make', '--json'])
  await place.until('held')
  await delay(50)
  child.kill('SIGINT')
  assert.equal((await ended).code, 130)
  assert.deepEqual(contents(join(place.root, 'artifacts')), before)
})
