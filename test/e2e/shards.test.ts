import assert from 'node:assert/strict'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { outcomes } from './command.ts'
import type { Line, Place } from './command.ts'
import { makeProject } from './project.ts'

const ASKED = ['evaluate[teacher]', 'teacher-logits']
const FRESH = ['download', 'tokenize', 'teacher-logits', 'evaluate[teacher]'].map((name) => `${name}: fresh`)

const sharded = (shards: number): string =>
  JSON.stringify({
    stages: {
      tokenize: { shards },
      'teacher-logits': { shards, resources: { gpu: 0, cpu: 1 } },
      evaluate: { shards, resources: { gpu: 0, cpu: 1 } },
    },
  })

const manifestOf = (place: Place, stage: string): { outputs: object; files: object; ran: { shards?: number } } => {
  const [key] = place.results(stage)
  return JSON.parse(place.read(`artifacts/store/${stage}/${key!}/manifest.json`)) as ReturnType<typeof manifestOf>
}

const made = (lines: readonly Line[], stage: string): string[] =>
  lines.flatMap((line) =>
    line.type === 'stage-finished' && String(line['name']).startsWith(`${stage}[shard`) && line['outcome'] === 'ran'
      ? [String(line['name'])]
      : [],
  )

describe('shards of the stages of this project', { concurrency: false }, () => {
  it('come to the bytes of the undivided work, under the same key and in the same experiment', async (context) => {
    const place = makeProject(context)
    place.write('one.yaml', sharded(1))
    place.write('four.yaml', sharded(4))
    const whole = await place.lines(...ASKED, '-p', 'one.yaml')
    assert.equal(whole.code, 0)
    const stages = ['tokenize', 'teacher-logits', 'evaluate']
    const expected = stages.map((stage) => manifestOf(place, stage))
    assert.deepEqual(outcomes((await place.lines(...ASKED, '-p', 'four.yaml')).last), FRESH)
    rmSync(join(place.root, 'artifacts'), { recursive: true })
    const parts = await place.lines(...ASKED, '-p', 'four.yaml')
    assert.equal(parts.code, 0)
    assert.equal(parts.last['experiment'], whole.last['experiment'])
    for (const [n, stage] of stages.entries()) {
      const { outputs, files, ran } = manifestOf(place, stage)
      assert.deepEqual({ outputs, files }, { outputs: expected[n]!.outputs, files: expected[n]!.files }, stage)
      assert.deepEqual([ran.shards, expected[n]!.ran.shards], [4, undefined])
      assert.equal(made(parts.lines, stage === 'evaluate' ? 'evaluate[teacher]' : stage).length, 4, stage)
    }
    assert.deepEqual(outcomes((await place.lines(...ASKED, '-p', 'one.yaml')).last), FRESH)
    assert.deepEqual(outcomes((await place.lines(...ASKED)).last), FRESH)
    const gone = await place.run('gc', '--json')
    assert.equal(gone.code, 0)
    assert.ok(!readdirSync(join(place.root, 'artifacts', 'store')).some((name) => name.includes('@')))
    assert.deepEqual(outcomes((await place.lines(...ASKED)).last), FRESH)
  })
})

/** Counts letters of lines; waits at a line while a file says so, and notes what was worked on. */
const SLOW = `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
const linesOf = (file) => readFileSync(file, 'utf8').trimEnd().split('\\n')
export default {
  params: { type: 'object', properties: { log: { type: 'string' } } },
  in: ['text'], out: ['counts'],
  async run() { throw new Error('not in one') },
  shards: {
    unit: 'lines',
    units: ({ in: from }) => linesOf(from.text).length,
    async run({ with: { log }, in: from, range, part }) {
      appendFileSync(log, range.from + '-' + range.to + '\\n')
      while (range.from > 3 && existsSync(log + '.hold')) await new Promise((resolve) => setTimeout(resolve, 10))
      if (range.from > 3 && existsSync(log + '.bad')) throw new Error('a bad line')
      writeFileSync(part, linesOf(from.text).slice(range.from, range.to).map((line) => line.length + '\\n').join(''))
    },
    async merge({ parts, out }) { writeFileSync(out.counts, parts.map((part) => readFileSync(part, 'utf8')).join('')) },
  },
}`

const slow = (place: Place): string => {
  const log = join(place.root, 'log')
  place.write('slow.ts', SLOW)
  place.write('text.txt', 'a\nbb\nccc\ndddd\neeeee\nffffff\nggggggg\nhhhhhhhh\n')
  place.write(
    'pipeline.yaml',
    `version: 1
params: { shards: 4 }
stages:
  slow:
    run: slow.ts
    in: { text: text.txt }
    with: { log: ${JSON.stringify(log)} }
    out: [counts]
    shards: \${shards}
`,
  )
  return log
}

const COUNTS = '1\n2\n3\n4\n5\n6\n7\n8\n'

describe('shards of a stage that is held', { concurrency: false }, () => {
  it('outlive kill -9: the run after it does the others alone', async (context) => {
    const place = makeProject(context)
    const log = slow(place)
    writeFileSync(`${log}.hold`, '')
    const { child, ended } = place.start(['run', '--json', '--jobs', '4'])
    const parts = (): number => {
      const store = join(place.root, 'artifacts', 'store')
      const folder = place.has('artifacts/store') && readdirSync(store).find((name) => name.startsWith('slow@'))
      return folder ? readdirSync(join(store, folder)).filter((name) => /^[0-9a-f]{64}$/.test(name)).length : 0
    }
    while (parts() < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill('SIGKILL')
    await ended
    const dry = await place.run('run', '--dry-run')
    assert.match(dry.out, /4 shards of 8 lines: 2 there, 2 to run\n\s+slow\[shard 3\/4\] {2}lines 5 to 6\n/)
    assert.match((await place.run('explain', 'slow')).out, /4 shards of 8 lines: 2 there, 2 to run/)
    const kept = await place.run('gc', '--json')
    assert.equal(kept.code, 0)
    assert.equal(parts(), 2)
    rmSync(`${log}.hold`)
    rmSync(log)
    const { code, lines } = await place.lines()
    assert.equal(code, 0)
    assert.deepEqual(place.read('log').trimEnd().split('\n').sort(), ['4-6', '6-8'])
    assert.deepEqual(made(lines, 'slow').sort(), ['slow[shard 3/4]', 'slow[shard 4/4]'])
    assert.equal(place.read('artifacts/slow/counts'), COUNTS)
  })

  it('fail alone, are named, and another number of them takes those that are done', async (context) => {
    const place = makeProject(context)
    const log = slow(place)
    writeFileSync(`${log}.bad`, '')
    const failed = await place.run('run', '--keep-going')
    assert.equal(failed.code, 1)
    assert.match(failed.errors, /Stage "slow\[shard [34]\/4\]": a bad line/)
    assert.match(failed.errors, /Of the 4 shards of "slow", 2 failed/)
    assert.match(failed.errors, /to run it alone: npx pipeline run slow --debug/)
    rmSync(`${log}.bad`)
    rmSync(log)
    const { code } = await place.lines('--set', 'shards=8')
    assert.equal(code, 0)
    assert.deepEqual(place.read('log').trimEnd().split('\n').sort(), ['4-5', '5-6', '6-7', '7-8'])
    assert.equal(place.read('artifacts/slow/counts'), COUNTS)
  })

  it('are refused where the number is none, or the stage does not divide', async (context) => {
    const place = makeProject(context)
    slow(place)
    for (const [number, code] of [
      ['0', 'VALUE_INVALID'],
      ['1000001', 'VALUE_INVALID'],
      ['1.5', 'VALUE_INVALID'],
    ]) {
      const { code: exit, errors } = await place.run('run', '--dry-run', '--set', `shards=${number!}`)
      assert.equal(exit, 2)
      assert.match(errors, new RegExp(`${code!}|shards`))
    }
    place.write('slow.ts', SLOW.replace(/shards: \{[\s\S]*/, '}'))
    const { code, errors } = await place.run('run')
    assert.equal(code, 2)
    assert.match(errors, /pipeline\.yaml:9:5/)
    assert.match(errors, /Stage "slow" has `shards`, but its module "slow\.ts" does not declare/)
  })
})
