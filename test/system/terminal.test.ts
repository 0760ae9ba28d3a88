import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import type { TestContext } from 'node:test'
import { Place } from '../e2e/command.ts'
import { Emulator, themes } from './emulator.ts'
import { Screen } from './screen.ts'

const PIPELINE = `version: 1
metrics: report.metrics
params: { title: A title, unused: 1 }
stages:
  train:
    run: train.ts
    matrix: { temperature: [1, 2.5], alpha: [0.5, 0.9] }
    in: { gate: gate }
    with: { temperature: '\${matrix.temperature}', alpha: '\${matrix.alpha}' }
    out: [o]
  report: { run: report.ts, in: { students: train.o }, with: { title: '\${title}' }, out: [metrics] }
  fails:
    cmd: [sh, -c, 'echo "many words of a log, one after another, which do not fit into eighty columns of a terminal"; exit 3']
    in: { o: report.metrics }
    out: [o]
`

/** Changes a text and the stages, at a place with a long name. */
const RECIPE_FILE = 'recipes/another-temperature-and-title.yaml'
const RECIPE = `stages:
  train: { matrix: { temperature: [1, 2.5, 4] } }
  report: { with: { title: 'What a teacher adds to what its student knew before it was taught' } }
`

/** At work, in the middle of its steps, until the file `go` is there. */
const TRAIN = `import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
export default {
  params: { type: 'object', properties: { temperature: { type: 'number' }, alpha: { type: 'number' } } }, in: ['gate'], out: ['o'],
  async run({ in: { gate }, out, progress, ranOn }) {
    ranOn('onnx-cpu, 1 thread')
    for (let done = 1; done <= 10; done++) { progress({ done, total: 20, unit: 'steps', loss: 1 / done }); await setTimeout(60) }
    while (!existsSync(join(gate, '..', 'go'))) await setTimeout(20)
    writeFileSync(out.o, '')
  },
}
`

const REPORT = `import { writeFileSync } from 'node:fs'
export default {
  params: { type: 'object', properties: { title: { type: 'string' } } }, in: ['students{}'], out: ['metrics'],
  async run({ in: { students }, out }) {
    const models = ['teacher', 'baseline', 'control', 'student', 'student-of-a-student', 'the-last-student-of-them-all']
    const row = (from) => Object.fromEntries(models.map((name, n) => [name, from + n / 7]))
    const cell = (n) => ({ perplexity: 3.7 + n / 9, accNorm: 0.5 + n / 100, comparisons: [] })
    const sweep = { axes: ['temperature', 'alpha'], students: Object.fromEntries(Object.keys(students).map((name, n) => [name, cell(n)])) }
    writeFileSync(out.metrics, JSON.stringify({ perplexity: row(3), acc: row(0.1), sweep }))
  },
}
`

/** A project that sweeps, and fails. */
function makeSweep(t: TestContext): Place {
  const place = new Place(t)
  for (const [file, text] of Object.entries({ 'train.ts': TRAIN, 'report.ts': REPORT, 'package.json': '{ "type": "module" }' })) place.write(file, text) // prettier-ignore
  place.write('pipeline.yaml', PIPELINE)
  mkdirSync(join(place.root, 'gate'))
  return place
}

let emulator: Emulator
before(async () => (emulator = await Emulator.open()))
after(() => emulator.close())

/** Of these the pictures are kept, for people to look at. */
const PICTURES = ['GNOME, light', 'xterm.js, dark']

/** What is too pale to be read, of what the screen shows. 3:1 is the least that WCAG 2.2 asks of any text (1.4.3). */
async function pale(screen: Screen, name: string): Promise<string[]> {
  const found: string[] = []
  for (const theme of Object.keys(themes)) {
    const drawn = await emulator.draw(screen.lines('-e'), screen.columns, theme)
    if (PICTURES.includes(theme)) await emulator.keep(name)
    assert.ok(drawn.length > 0, `${name} is empty`)
    for (const { text, contrast } of drawn)
      if (contrast < 3) found.push(`${name}, ${theme}: ${contrast.toFixed(2)} ${text}`)
  }
  return found
}

/** Lines that the terminal had to break, but for paths and addresses, which are to be copied whole. */
const broken = (screen: Screen): string[] =>
  screen
    .lines('-J')
    .map((line) => line.trimEnd())
    .filter(
      (line) =>
        line.length > screen.columns &&
        !/^(\S+ +)?\S*(artifacts|127\.0\.0\.1)\S*$/.test(line.replace('  its log: ', '')),
    )

for (const columns of [80, 200]) {
  it(
    `in a terminal of ${columns} columns nothing is cut off in a word, and the end has all scores`,
    { timeout: 200_000 },
    async (t) => {
      const place = makeSweep(t)
      const screen = new Screen(t, place, columns)
      screen.start('npx --no-install pipeline run report; npx --no-install pipeline run')
      await screen.until((text) => text.includes(' 50 %') && text.includes('to come: '))
      assert.deepEqual(broken(screen), [], 'no line of the block is wrapped')
      assert.deepEqual(await pale(screen, 'at-work'), [])
      const middle = screen.lines().map((line) => line.trimEnd())
      const work = middle.find((line) => line.includes(' 50 %'))!
      assert.match(
        work,
        columns === 80
          ? /train\[1,0\.5\].*━.*50 %.*loss 0\.100/
          : /━.*10\/20 steps.*steps\/s.*loss 0\.100 .*█.*onnx-cpu/,
      )
      assert.match(middle.at(-1)!, /to come: /)

      writeFileSync(join(place.root, 'go'), '')
      assert.equal(await screen.ended(), 1, 'a stage failed')
      assert.deepEqual(broken(screen), [])
      assert.deepEqual(await pale(screen, 'end'), [])
      const text = screen
        .lines('-J')
        .map((line) => line.trimEnd())
        .join('\n')
      assert.match(
        text,
        /^temperature {2}alpha {2}perplexity {2}accNorm\n1 +0\.5 .*\n1 +0\.9 .*\n2\.5 +0\.5 .*\n2\.5 +0\.9 +4\.0333 +0\.53$/m,
      )
      const heads = text.split('\n').filter((line) => /^ +(teacher|the-last)/.test(line))
      assert.equal(heads.length, columns === 80 ? 2 : 1, 'the table goes on below where it has no room')
      assert.match(text, /Nothing uses the parameter "unused"/)
      assert.match(text, /^ {2}│ many words of a log, .*\n( {2}│ .*\n)?  its log: /m)
      assert.match(text, /to run it alone: npx pipeline run fails --debug$/m)
      assert.match(text, /^finished in .*: 5 ran$[^]*^incomplete in .*: 5 fresh, 1 failed$/m)
    },
  )

  it(`in a terminal of ${columns} columns what each command says keeps to it`, { timeout: 300_000 }, async (t) => {
    const place = makeSweep(t)
    writeFileSync(join(place.root, 'go'), '')
    const hashes: string[] = []
    for (const title of [
      'short',
      'so many words that they do not stand in a line of eighty columns, nor in one of a terminal twice as wide as that, which has two hundred of them at the most',
    ]) {
      const { last, code } = await place.lines('report', '--set', `title=${title}`)
      assert.equal(code, 0)
      hashes.push(String(last['experiment']).slice(0, 16))
    }
    const commands = {
      help: '--help',
      'help-run': 'help run',
      'help-code': 'help KEY_UNKNOWN',
      doctor: 'doctor',
      status: 'status',
      plan: `run --dry-run -p ${RECIPE_FILE}`,
      explain: `explain report -p ${RECIPE_FILE}`,
      set: 'set unused=2',
      list: 'list',
      diff: `diff ${hashes.join(' ')}`,
      show: `show ${hashes[1]!}`,
      du: 'du',
      gc: 'gc --dry-run',
      verify: 'verify',
      mistake: 'run --set unsed=3',
      graph: 'graph',
    }
    place.write(RECIPE_FILE, RECIPE)
    const screen = new Screen(t, place, columns)
    for (const [name, command] of Object.entries(commands)) {
      screen.start(`node_modules/.bin/pipeline ${command}`)
      assert.equal(await screen.ended(), name === 'mistake' ? 2 : 0, screen.lines().join('\n'))
      assert.deepEqual(broken(screen), [], name)
      assert.deepEqual(await pale(screen, name), [])
    }
  })
}
