import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Place } from '../e2e/command.ts'
import { programOf } from './debian.ts'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')
const tmux = programOf('tmux')

const PIPELINE = `version: 1
metrics: report.metrics
params: { unused: 1 }
stages:
  train:
    run: train.ts
    matrix: { temperature: [1, 2.5], alpha: [0.5, 0.9] }
    in: { gate: PLACE/gate }
    with: { temperature: '\${matrix.temperature}', alpha: '\${matrix.alpha}' }
    out: [o]
  report: { run: report.ts, in: { students: train.o }, out: [metrics] }
  fails:
    cmd: [sh, -c, 'echo "many words of a log, one after another, which do not fit into eighty columns of a terminal"; exit 3']
    in: { o: report.metrics }
    out: [o]
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
  params: { type: 'object', properties: {} }, in: ['students{}'], out: ['metrics'],
  async run({ in: { students }, out }) {
    const models = ['teacher', 'baseline', 'control', 'student', 'student-of-a-student', 'the-last-student-of-them-all']
    const row = (from) => Object.fromEntries(models.map((name, n) => [name, from + n / 7]))
    const cell = (n) => ({ perplexity: 3.7 + n / 9, accNorm: 0.5 + n / 100, comparisons: [] })
    const sweep = { axes: ['temperature', 'alpha'], students: Object.fromEntries(Object.keys(students).map((name, n) => [name, cell(n)])) }
    writeFileSync(out.metrics, JSON.stringify({ perplexity: row(3), acc: row(0.1), sweep }))
  },
}
`

/** A terminal of so many columns in which \`npx pipeline run\` was typed. */
class Screen {
  readonly place: Place
  readonly #session: string

  constructor(t: TestContext, columns: number) {
    this.place = new Place(t)
    this.#session = `pipeline-${process.pid}-${columns}`
    for (const [file, text] of Object.entries({ 'train.ts': TRAIN, 'report.ts': REPORT, 'package.json': '{ "type": "module" }' })) this.place.write(file, text) // prettier-ignore
    this.place.write('pipeline.yaml', PIPELINE.replace('PLACE/', ''))
    mkdirSync(join(this.place.root, 'gate'))
    mkdirSync(join(this.place.root, 'node_modules/.bin'), { recursive: true })
    symlinkSync(BIN, join(this.place.root, 'node_modules/.bin/pipeline'))
    // npm's word of a newer npm, in its own colours, is not ours to check
    const command =
      'unset CI NO_COLOR; export npm_config_update_notifier=false; npx --no-install pipeline run report; npx --no-install pipeline run; echo $? > code.new; mv code.new code; sleep 600'
    const size = ['-x', String(columns), '-y', '60']
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'main', ...size, '-c', this.place.root, command)
    t.after(() => this.#tmux('kill-server'))
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync(tmux, ['-L', this.#session, ...args], { encoding: 'utf8' })
  }

  /** The lines from the first on; with `-J` those that the terminal wrapped are one, with `-e` colours are there. */
  lines(...options: readonly string[]): string[] {
    return this.#tmux('capture-pane', '-p', '-S', '-', ...options, '-t', 'main')
      .trimEnd()
      .split('\n')
  }

  async until(holds: (text: string) => boolean): Promise<void> {
    while (!holds(this.lines().join('\n'))) await delay(50)
  }
}

for (const columns of [80, 200]) {
  it(
    `in a terminal of ${columns} columns nothing is cut off in a word, and the end has all scores`,
    { timeout: 60_000 },
    async (t) => {
      const screen = new Screen(t, columns)
      const { place } = screen
      await screen.until((text) => text.includes(' 50 %') && text.includes('to come: '))
      const middle = screen.lines('-J').map((line) => line.trimEnd())
      assert.deepEqual(middle.filter((line) => line.length > columns), [], 'no line of the block is wrapped') // prettier-ignore
      const work = middle.find((line) => line.includes(' 50 %'))!
      assert.match(
        work,
        columns === 80
          ? /train\[1,0\.5\].*━.*50 %.*loss 0\.100/
          : /━.*10\/20 steps.*steps\/s.*loss 0\.100 .*█.*onnx-cpu/,
      )
      assert.match(middle.at(-1)!, /to come: /)

      writeFileSync(join(place.root, 'go'), '')
      await place.until('code')
      assert.equal(place.read('code'), '1\n', 'a stage failed')
      const joined = screen.lines('-J').map((line) => line.trimEnd())
      const wrapped = joined.filter((line) => line.length > columns)
      // a path is to be copied whole
      assert.deepEqual(wrapped.filter((line) => !/^(artifacts|  its log: )\S*$/.test(line)), []) // prettier-ignore
      const text = joined.join('\n')
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
      // what is said in the terminal's own colours is to be read on a light ground and on a dark one
      const styles = new Set([...screen.lines('-e').join('').matchAll(/\x1b\[([\d;]+)m/g)].flatMap(([, codes]) => codes!.split(';'))) // prettier-ignore
      assert.deepEqual([...styles].filter((code) => !['0', '1', '2', '22', '31', '32', '33', '36', '39', '49'].includes(code)), []) // prettier-ignore
    },
  )
}
