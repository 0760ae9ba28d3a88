import assert from 'node:assert/strict'
import { cpSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { DOUBLE } from '../pipeline/lines.ts'
import { Place, outcomes } from './command.ts'
import { config as learner } from './learner.ts'
import { MOST_PATH, alike, faultsOf, pathsBelow } from './windows.ts'

/** The longest names that are taken, and cells of characters that a shell or an address would mind. */
const [LONG, FILE] = ['s'.repeat(50), `deep/${'f'.repeat(25)}`]
const VALUES = ["it's 50%", 'é~1', '(a)', '$HOME', '!x;y&z', '#1', '教'.repeat(20), '.hidden', '-1', 'a=b@c+d']

const cells = (values: readonly string[]): object => Object.fromEntries(values.map((value, n) => [value, n]))
const write = (text: string): string => `require('fs').writeFileSync(process.argv[1], ${text})`

const PIPELINE = {
  version: 1,
  remote: 'file:share',
  metrics: 'report.metrics',
  params: { n: 1 },
  stages: {
    [LONG]: {
      cmd: [
        'node',
        '-e',
        `fs.mkdirSync(path.dirname(process.argv[1]), { recursive: true }); ${write("'x'")}`,
        '${out.text}',
      ],
      out: [{ text: FILE }],
    },
    double: { run: 'double.ts', in: { text: 'file:input.txt' }, out: ['text'], shards: 3 },
    'train-of-é': {
      matrix: { value: cells(VALUES), rate: [0.5] },
      cmd: ['node', 'train.mjs', '${with.rate}', '${out.curves}'],
      with: { rate: '${matrix.rate}', n: '${n}', value: '${matrix.value}' },
      out: ['curves'],
      tolerance: { curves: 1e-6 },
    },
    longer: { run: 'longer.ts', with: { epochs: '${n}' }, out: ['sum'] },
    flaky: {
      cmd: ['sh', '-c', 'if [ -e bad ]; then exit 1; fi; echo x > "$0"', '${out.text}'],
      out: ['text'],
      retries: 1,
    },
    slow: {
      cmd: ['sh', '-c', 'touch started; while [ -e hold ]; do sleep 0.02; done; echo x > "$0"', '${out.text}'],
      out: ['text'],
    },
    report: {
      cmd: [
        'node',
        '-e',
        `${write('\'{"loss":1}\'')}; fs.writeFileSync(process.argv[2], '<p>')`,
        '${out.metrics}',
        '${out.page}',
      ],
      in: { curves: 'train-of-é.curves' },
      out: [{ page: 'report.html' }, { metrics: 'metrics.json' }],
    },
  },
}

const LONGER = `import { mkdirSync, writeFileSync } from 'node:fs'
export default {
  params: { properties: { epochs: { type: 'integer' } } }, in: [], out: ['sum'], extend: ['epochs'],
  async run({ with: { epochs }, out, checkpoint }) {
    mkdirSync(checkpoint + '/extend', { recursive: true })
    writeFileSync(checkpoint + '/extend/state.json', String(epochs))
    writeFileSync(out.sum, String(epochs))
  },
}`

const TRAIN = `import { writeFileSync } from 'node:fs'
const [rate, file] = process.argv.slice(2)
writeFileSync(file, [1, 2].map((step) => JSON.stringify({ step, loss: rate / step })).join('\\n'))
`

/** The real command, of which each path that it makes is noted. */
class Noted extends Place {
  readonly #notes = join(this.root, 'notes')

  constructor(t: TestContext) {
    super(t)
    const hook = pathToFileURL(join(import.meta.dirname, 'note-paths.mjs')).href
    Object.assign(this.env, { NOTE_PATHS: this.#notes, NODE_OPTIONS: `--import=${hook}` })
    this.write('pipeline.yaml', JSON.stringify(PIPELINE))
    this.write('double.ts', DOUBLE(join(this.root, 'log')))
    this.write('longer.ts', LONGER)
    this.write('train.mjs', TRAIN)
    this.write('input.txt', 'a\nb\nc\nd\n')
    this.write('package.json', '{"type":"module"}')
  }

  /** Relative to the folder, those made and gone again and those that are there. */
  paths(): string[] {
    const root = realpathSync(this.root)
    const noted = readFileSync(this.#notes, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as string)
    const own = noted.flatMap((path) =>
      [this.root, root].flatMap((at) => (path.startsWith(at + sep) ? path.slice(at.length + 1) : [])),
    )
    return [...new Set([...own, ...pathsBelow(this.root)])].sort()
  }

  async succeeds(...args: string[]): Promise<string> {
    const { code, out, errors } = await this.run(...args)
    assert.equal(code, 0, `${args.join(' ')}: ${out}${errors}`)
    return out
  }
}

async function writeEverything(place: Noted): Promise<void> {
  place.write('bad', '')
  assert.equal((await place.lines('--keep-going')).code, 1)
  rmSync(join(place.root, 'bad'))
  const first = await place.lines()
  assert.equal(first.code, 0)
  const hash = String(first.last['experiment'])
  await killOne(place)
  await place.succeeds('run', '--set', 'n=2')
  await place.succeeds('tag', hash, 'Baseline-1.0')
  await place.succeeds('pin', hash)
  await place.succeeds('log', hash, '--to', 'tensorboard')
  await place.succeeds('provenance', hash, '--to', 'crate')
  await place.succeeds('push')
  await place.succeeds('verify', '--twice', 'train-of-é')
  await place.succeeds('reproduce', hash)
  await place.succeeds('du')
  await place.succeeds('gc', '--age', '0')
  await place.succeeds('init', 'sub')
  await exportAll(place)
}

const CONFIG = { ...learner, vocabSize: 600 }

/** What it leaves stays until a gc. */
async function killOne(place: Noted): Promise<void> {
  place.write('hold', '')
  rmSync(join(place.root, 'started'))
  const { child, ended } = place.start(['run', 'slow', '--force'])
  await place.until('started')
  child.kill('SIGKILL')
  await ended
  rmSync(join(place.root, 'hold'))
}

async function exportAll(place: Noted): Promise<void> {
  saveModel(join(place.root, 'm'), { config: CONFIG, weights: initialise(CONFIG, 1) }, { eos: 0 })
  cpSync(join(import.meta.dirname, '../fixtures/harness/model/tokenizer.json'), join(place.root, 'm/tokenizer.json'))
  for (const format of ['safetensors', 'onnx', 'gguf'])
    await place.succeeds('export', 'file:m', '--to', `exported-${format}`, '--format', format)
}

describe('the paths that the command makes', () => {
  it(
    'are such that Windows takes, in a project whose names are as long and odd as they may be',
    { timeout: 600_000 },
    async (t) => {
      const place = new Noted(t)
      await writeEverything(place)
      const paths = place.paths()
      const kinds = ['.tmp-', '.lock-', '.failed-', '.extend-', '.checkpoint-', '.link-', '.reproduce-', '.runs', '@', 'tags/', 'bundles/', 'outputs/', 'tfevents', '.intoto.json', 'share/', 'node_modules/.cache/', 'metrics.jsonl', 'report.html', 'exported-gguf/'] // prettier-ignore
      assert.deepEqual(
        kinds.filter((kind) => !paths.some((path) => path.includes(kind))),
        [],
        'all of it was made',
      )
      assert.deepEqual([...paths.flatMap(faultsOf), ...alike(paths)], [])
      const longest = paths.reduce((most, path) => Math.max(most, path.length), 0)
      t.diagnostic(`${paths.length} paths, the longest of ${longest} characters, of ${MOST_PATH}`)
      assert.deepEqual(
        [...new Set(outcomes((await place.lines('--set', 'n=2')).last).map((text) => text.split(': ')[1]))],
        ['fresh'],
      )
    },
  )

  it('are held against rules that find what is wrong', () => {
    const wrong = [
      'a:b',
      'a/con',
      'Aux.txt',
      'com¹',
      'x/lpt9.a.b',
      'x.',
      'x /y',
      'a\tb',
      'a"b',
      'a\\b',
      'x/'.repeat(113),
    ]
    for (const path of wrong) assert.notDeepEqual(faultsOf(path), [], path)
    for (const path of ['console/a', '.x', 'a b', 'com', 'com10']) assert.deepEqual(faultsOf(path), [], path)
    assert.deepEqual(alike(['a/b', 'a/c', 'a/b', 'b/b']), [])
    for (const two of [
      ['a/b', 'a/B'],
      ['\u00e9', 'e\u0301'],
    ])
      assert.equal(alike(two).length, 1)
  })
})
