import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Place, outcomes } from './command.ts'
import type { Line } from './command.ts'

const STAGE = `import { writeFileSync } from 'node:fs'
import { word } from '../helpers/word.ts'
export default {
  params: { type: 'object', properties: { times: { type: 'integer', default: 1 } } }, in: [], out: ['text'],
  async run({ with: { times }, out }) { writeFileSync(out.text, word.repeat(times)) },
}
`

const PIPELINE = `version: 1
params: { times: 2 }
stages:
  say: { run: stages/say.ts, with: { times: '\${times}' }, out: [text] }
  count:
    cmd: [sh, -c, 'cat "$1" > "$3"; ls "$2" >> "$3"', sh, '\${in.text}', '\${in.folder}', '\${out.all}']
    in: { text: say.text, folder: data }
    out: [all]
`

/** A watching command, and its lines. */
class Watch {
  readonly lines: Line[] = []
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  #heard = 0
  #wake: () => void = () => undefined

  constructor(place: Place, t: TestContext, ...args: string[]) {
    const child = place.spawn(['run', '--watch', '--json', ...args])
    child.stderr.resume()
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line)
      this.#wake()
    })
    this.child = child
    this.ended = new Promise((resolve) => child.once('close', resolve))
    t.after(() => child.kill('SIGKILL'))
  }

  /** The next line of a type that was not waited for yet. */
  async hears(type: string): Promise<Line> {
    for (;;) {
      const index = this.lines.findIndex((line, i) => i >= this.#heard && line.type === type)
      if (index !== -1) {
        this.#heard = index + 1
        return this.lines[index]!
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Outcomes of the next run, once it waits again. */
  async ran(): Promise<string[]> {
    const last = await this.hears('finished')
    await this.hears('watching')
    return outcomes(last)
  }

  async changed(): Promise<unknown> {
    return (await this.hears('changed')).paths
  }

  /** Nothing is said for longer than a change takes to be seen. */
  async isQuiet(): Promise<void> {
    const before = this.lines.length
    await delay(600)
    assert.deepEqual(this.lines.slice(before), [])
  }
}

function makePlace(t: TestContext): Place {
  const place = new Place(t)
  place.write('stages/say.ts', STAGE)
  place.write('helpers/word.ts', `export const word = 'a'\n`)
  place.write('data/one.txt', 'one')
  place.write('package.json', '{ "type": "module" }')
  place.write('pipeline.yaml', PIPELINE)
  return place
}

/** As an editor saves: a new file takes the old one's name. */
function save(place: Place, file: string, text: string): void {
  place.write(`${file}.part`, text)
  renameSync(join(place.root, `${file}.part`), join(place.root, file))
}

it('runs again for what the plan depends on, and for nothing else', async (t) => {
  const place = makePlace(t)
  const watch = new Watch(place, t)
  assert.deepEqual(await watch.ran(), ['say: ran', 'count: ran'])
  await watch.isQuiet() // its own artifacts, record and caches say nothing

  place.write('pipeline.yaml', PIPELINE.replace('times: 2', 'times: 3'))
  assert.deepEqual(await watch.changed(), ['pipeline.yaml'])
  assert.deepEqual(await watch.ran(), ['say: ran', 'count: ran'])
  assert.equal(place.read('artifacts/count/all'), 'aaaone.txt\n')

  save(place, 'helpers/word.ts', `export const word = 'b'\n`) // imported, behind a rename
  assert.deepEqual(await watch.changed(), ['helpers/word.ts'])
  assert.deepEqual(await watch.ran(), ['say: ran', 'count: ran'])
  save(place, 'helpers/word.ts', `export const word = 'c'\n`) // the file that took its place is watched too
  assert.deepEqual(await watch.ran(), ['say: ran', 'count: ran'])

  place.write('data/two.txt', 'two') // a new file in a folder that is an input
  assert.deepEqual(await watch.changed(), ['data'])
  assert.deepEqual(await watch.ran(), ['say: fresh', 'count: ran'])
  mkdirSync(join(place.root, 'data/deep'))
  place.write('data/deep/three.txt', 'three')
  await watch.ran()
  place.write('data/deep/three.txt', 'four') // in a folder that was not there before
  assert.deepEqual(await watch.changed(), ['data'])
  assert.deepEqual(await watch.ran(), ['say: fresh', 'count: ran'])

  place.write('README.md', 'nothing reads it')
  place.write('helpers/other.ts', 'nor this')
  utimesSync(join(place.root, 'helpers/word.ts'), new Date(), new Date())
  place.write('pipeline.yaml', place.read('pipeline.yaml'))
  await watch.isQuiet()

  watch.child.kill('SIGINT')
  assert.equal(await watch.ended, 0)
})

it('says what is wrong and waits: a broken file, one that is gone, a folder that is, and their return', async (t) => {
  const place = makePlace(t)
  const watch = new Watch(place, t)
  await watch.ran()

  place.write('pipeline.yaml', 'version: 1\nstages: [')
  const { failure } = (await watch.hears('failure')) as unknown as { failure: { code: string } }
  assert.equal(failure.code, 'YAML_SYNTAX')
  assert.deepEqual(await watch.ran(), [])
  place.write('notes.txt', 'the same mistake is not said again')
  await watch.isQuiet()
  place.write('pipeline.yaml', PIPELINE)
  assert.deepEqual(await watch.ran(), ['say: fresh', 'count: fresh'])

  rmSync(join(place.root, 'pipeline.yaml'))
  await watch.ran()
  place.write('pipeline.yaml', PIPELINE)
  assert.deepEqual(await watch.ran(), ['say: fresh', 'count: fresh'])

  rmSync(join(place.root, 'helpers'), { recursive: true })
  await watch.ran()
  place.write('helpers/word.ts', `export const word = 'd'\n`)
  assert.deepEqual(await watch.ran(), ['say: ran', 'count: ran'])

  // removed and made again within a moment, as by `git stash` and `git stash pop`
  rmSync(join(place.root, 'helpers'), { recursive: true })
  place.write('helpers/word.ts', `export const word = 'd'\n`)
  await watch.isQuiet()
  place.write('helpers/word.ts', `export const word = 'e'\n`)
  assert.deepEqual(await watch.ran(), ['say: ran', 'count: ran'])

  // what is missing may be anywhere
  place.write('more/other/file.txt', '')
  place.write('pipeline.yaml', PIPELINE.replace('folder: data', 'folder: more/other/data'))
  await watch.ran()
  place.write('more/other/data/x.txt', 'x')
  assert.deepEqual(await watch.ran(), ['say: fresh', 'count: ran'])
  place.write('more/other/data/x.txt', 'y')
  assert.deepEqual(await watch.ran(), ['say: fresh', 'count: ran'])
})

/** Two stages that wait until a file is there. */
const HELD = (word: string): string => `version: 1
stages:
  kept: { cmd: [sh, -c, 'touch kept.began; while [ ! -e go ]; do sleep 0.05; done; echo x > "$1"', sh, '\${out.o}'], out: [o] }
  edited: { cmd: [sh, -c, 'touch ${word}.began; while [ ! -e go ]; do sleep 0.05; done; echo ${word} > "$1"', sh, '\${out.o}'], out: [o] }
  after: { cmd: [sh, -c, 'cat "$1" > "$2"', sh, '\${in.o}', '\${out.o}'], in: { o: edited.o }, out: [o] }
`

it('a change during a run stops the stages that are others now, lets the rest end, and runs the new plan', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', HELD('first'))
  const watch = new Watch(place, t, '--jobs', '2')
  await place.until('kept.began')
  await place.until('first.began')
  place.write('pipeline.yaml', `# a comment changes no stage\n${HELD('first')}`)
  await watch.isQuiet()
  place.write('pipeline.yaml', 'version: [') // a slip stops nothing
  await watch.hears('failure')
  place.write('pipeline.yaml', HELD('second'))
  assert.deepEqual((await watch.hears('changed')).stopped, ['edited'])
  place.write('go', '')
  assert.deepEqual(outcomes(await watch.hears('finished')), ['kept: ran', 'edited: failed', 'after: skipped'])
  assert.deepEqual(await watch.ran(), ['kept: fresh', 'edited: ran', 'after: ran'])
  assert.equal(place.read('artifacts/after/o'), 'second\n')
  const failures = watch.lines.filter(({ type }) => type === 'failure') as unknown as { failure: { code: string } }[]
  const codes = new Set(failures.map(({ failure }) => failure.code))
  assert.deepEqual([...codes], ['YAML_SYNTAX'], 'that a stage was stopped is no failure')
})

it('Ctrl-C during a run ends it with 130', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', HELD('first'))
  const watch = new Watch(place, t)
  await place.until('kept.began')
  watch.child.kill('SIGINT')
  assert.equal(await watch.ended, 130)
  assert.equal(watch.lines.at(-1)?.type, 'finished')
})

it('a change to a stage that waits lets what it waits for end, and runs it once, as it is now', async (t) => {
  const place = new Place(t)
  const stages = (word: string): string =>
    HELD('first').replace('cat "$1" > "$2"', `touch ${word}.after; cat "$1" > "$2"`)
  place.write('pipeline.yaml', stages('old'))
  const watch = new Watch(place, t, '--jobs', '2')
  await place.until('kept.began')
  await place.until('first.began')
  place.write('pipeline.yaml', stages('new'))
  assert.deepEqual((await watch.hears('changed')).stopped, [])
  place.write('go', '')
  assert.deepEqual(outcomes(await watch.hears('finished')), ['kept: ran', 'edited: ran', 'after: skipped'])
  assert.deepEqual(await watch.ran(), ['kept: fresh', 'edited: fresh', 'after: ran'])
  assert.equal(existsSync(join(place.root, 'old.after')), false)
})
