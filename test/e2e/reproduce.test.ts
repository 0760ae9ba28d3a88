import assert from 'node:assert/strict'
import { cpSync, lstatSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Place } from './command.ts'
import type { Line } from './command.ts'

/** A module with a helper, a package and a worker; a program that reads a variable; cells; names that JSON reorders. */
const PIPELINE = `version: 1
metrics: '1.metrics'
params: { times: [2, 3] }
stages:
  shout:
    run: stages/shout.ts
    in: { text: 'file:text.txt' }
    with: { mark: '!' }
    out: [text]
  repeat:
    cmd: [sh, -c, 'for i in $(seq "$1"); do cat "$2"; done > "$3"; printf "$\${MARK}" >> "$3"', sh, '\${with.times}', '\${in.text}', '\${out.text}']
    matrix: { times: '\${times}' }
    in: { text: shout.text }
    with: { times: '\${matrix.times}' }
    out: [text]
    env: [MARK]
  1:
    cmd: [node, -e, 'const [all, out] = process.argv.slice(1); fs.writeFileSync(out, JSON.stringify({ cells: Object.keys(JSON.parse(all)).length }))', '\${in.all}', '\${out.metrics}']
    in: { all: repeat.text }
    out: [metrics]
`

const STAGE = `import { readFileSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { upper } from 'shouting'
import { join } from './join.ts'
export default {
  params: { type: 'object', properties: { mark: { type: 'string' }, count: { type: 'number', default: 2 } } },
  in: ['text'], out: ['text'],
  async run({ with: { mark, count }, in: { text }, out }: any) {
    const worker = new Worker(new URL('./marks.ts', import.meta.url), { workerData: { mark, count } })
    const marks = await new Promise<string>((resolve) => worker.once('message', resolve))
    writeFileSync(out.text, join(upper(readFileSync(text, 'utf8')), marks))
  },
}
`

function write(place: Place): void {
  place.write('package.json', '{ "type": "module" }')
  place.write(
    'node_modules/shouting/package.json',
    '{ "name": "shouting", "version": "1.2.3", "exports": "./index.js" }',
  )
  place.write('node_modules/shouting/index.js', 'exports.upper = (text) => text.toUpperCase()')
  place.write('pipeline.yaml', PIPELINE)
  place.write('text.txt', 'hello')
  place.write('stages/shout.ts', STAGE)
  place.write('stages/join.ts', 'export const join = (a: string, b: string): string => a + b')
  place.write(
    'stages/marks.ts',
    `import { parentPort, workerData } from 'node:worker_threads'
parentPort!.postMessage(workerData.mark.repeat(workerData.count))
`,
  )
  place.env['MARK'] = '.'
}

/** The place with one recorded experiment, and its hash. */
async function recorded(t: TestContext, change?: (place: Place) => void): Promise<{ place: Place; hash: string }> {
  const place = new Place(t)
  write(place)
  change?.(place)
  const { code, last } = await place.lines()
  assert.equal(code, 0)
  return { place, hash: String(last['experiment']) }
}

/** Every name below a folder with its content, or where a link points. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return Object.fromEntries(
    entries.map((name) => {
      const stat = lstatSync(join(folder, name))
      const identity = `${stat.ino} ${stat.mtimeMs}`
      if (stat.isSymbolicLink()) return [name, `${identity} -> ${readlinkSync(join(folder, name))}`]
      return [name, stat.isFile() ? `${identity} ${readFileSync(join(folder, name), 'base64')}` : '']
    }),
  )
}

async function reproduce(place: Place, hash: string): Promise<{ code: number | null; lines: Line[]; last: Line }> {
  const { code, out } = await place.run('reproduce', hash, '--json')
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  return { code, lines, last: lines.at(-1)! }
}

const results = (last: Line): string[] =>
  (last['stages'] as { name: string; result: string }[]).map(({ name, result }) => `${name}: ${result}`)

const failures = (lines: readonly Line[]): { code: string; message: string }[] =>
  lines.flatMap((line) => (line.type === 'failure' ? [line['failure'] as { code: string; message: string }] : []))

const IDENTICAL = ['shout: identical', 'repeat[2]: identical', 'repeat[3]: identical', '1: identical']

it('runs the recorded code whatever the working tree says now, and leaves the store as it is', async (t) => {
  const { place, hash } = await recorded(t)
  assert.equal(place.read('artifacts/repeat/2/text'), 'HELLO!!HELLO!!.')
  place.write('stages/shout.ts', 'export default {}')
  rmSync(join(place.root, 'stages/join.ts'))
  rmSync(join(place.root, 'pipeline.yaml'))
  rmSync(join(place.root, 'node_modules/.cache'), { recursive: true })
  const before = contents(join(place.root, 'artifacts'))
  const { code, lines, last } = await reproduce(place, hash.slice(0, 12))
  assert.equal(code, 0, JSON.stringify(lines))
  assert.deepEqual(Object.keys(last), ['type', 'experiment', 'stages'])
  assert.deepEqual([last.type, last['experiment'], results(last)], ['reproduced', hash, IDENTICAL])
  const ran = lines.filter(({ type }) => type === 'stage-finished').map((line) => line['outcome'])
  assert.deepEqual(ran, ['ran', 'ran', 'ran', 'ran'])
  assert.deepEqual(contents(join(place.root, 'artifacts')), before)
  const words = await place.run('reproduce', hash)
  assert.match(words.out, /\nidentical {2}shout, repeat\[2\], repeat\[3\], 1\n$/)
})

it('needs no store, and no more of the experiment than what a pin gave to git', async (t) => {
  const { place, hash } = await recorded(t)
  assert.equal((await place.run('pin', hash)).code, 0)
  const clone = new Place(t)
  write(clone)
  cpSync(join(place.root, 'experiments'), join(clone.root, 'experiments'), { recursive: true })
  rmSync(join(clone.root, 'stages'), { recursive: true })
  const { code, last } = await reproduce(clone, hash)
  assert.deepEqual([code, results(last)], [0, IDENTICAL])
  assert.deepEqual(readdirSync(join(clone.root, 'artifacts')), [])

  rmSync(join(place.root, 'artifacts/store'), { recursive: true, force: true })
  assert.equal((await reproduce(place, hash)).code, 0)
})

it('names the first stage that comes out otherwise: exit code 1, and its result stays for a look', async (t) => {
  const noise = (place: Place): void => {
    place.write('pipeline.yaml', PIPELINE.replace('cat "$2"', 'cat "$2"; od -An -N8 -tx1 /dev/urandom'))
  }
  const { place, hash } = await recorded(t, noise)
  const { code, lines, last } = await reproduce(place, hash)
  const different = ['shout: identical', 'repeat[2]: different', 'repeat[3]: different', '1: identical']
  assert.deepEqual([code, results(last)], [1, different])
  const [failure, ...more] = failures(lines)
  assert.deepEqual([failure?.code, more], ['NOT_REPRODUCED', []])
  assert.match(failure!.message, /^"repeat\[2\]" is the first stage .* other bytes for "text" /)
  const kept = /below "(.*)"/.exec(failure!.message)![1]!
  const [other] = readdirSync(join(kept, 'store/repeat')).filter((name) => /^[0-9a-f]{64}$/.test(name))
  assert.notEqual(readFileSync(join(kept, 'store/repeat', other!, 'text'), 'utf8'), '')
  assert.equal(place.results('repeat').length, 2)
})

it('says which stage failed: exit code 1, with its log', async (t) => {
  const { place, hash } = await recorded(t, (place) => {
    place.write('pipeline.yaml', PIPELINE.replace('cat "$2"', 'test ! -e broken || exit 1; cat "$2"'))
  })
  place.write('broken', '')
  const { code, errors, out } = await place.run('reproduce', hash)
  assert.equal(code, 1)
  assert.match(errors, /Stage "repeat\[[23]\]": "sh" ended with exit code 1/)
  assert.match(out, /\nidentical {2}shout\nfailed {5}repeat.*\nskipped {4}/)
  assert.ok(place.has(/its log: (.*)/.exec(errors)![1]!.slice(place.root.length + 1)))
})

it('refuses what is not as it was, by name: exit code 2, and nothing runs', async (t) => {
  const { place, hash } = await recorded(t)
  const bundles = join('artifacts/experiments', hash, 'bundles')
  const record = join('artifacts/experiments', hash, 'record.json')
  const edited = (from: string | RegExp, to: string) => (): void =>
    place.write(record, place.read(record).replace(from, to))
  const cases: [string, () => void, RegExp][] = [
    [
      'SOURCE_CHANGED',
      () => place.write('text.txt', 'hullo'),
      /"text\.txt" .*: expected .* \w{64}, found .* \w{64}; no copy/,
    ],
    ['SOURCE_CHANGED', () => rmSync(join(place.root, 'text.txt')), /"text\.txt" .* expected .* \w{64}, found nothing/],
    ['ENV_CHANGED', () => (place.env['MARK'] = ','), /"repeat\[2\]" declares the environment variables MARK/],
    ['RECORD_DAMAGED', edited('"count": 2', '"count": 3'), /does not make its hash/],
    ['RECORD_OLD', edited(/"stage": \{/, '"was": {'), /Remove ".*record\.json" and run its pipeline again/],
    [
      'BUNDLE_DAMAGED',
      () => {
        const other = gzipSync('export default {}')
        for (const name of readdirSync(join(place.root, bundles))) writeFileSync(join(place.root, bundles, name), other)
        rmSync(join(place.root, 'node_modules/.cache'), { recursive: true })
      },
      /The recorded code \w{64} was expected in/,
    ],
  ]
  rmSync(join(place.root, 'artifacts/experiments/.sources'), { recursive: true })
  const whole = new Map([record, 'text.txt'].map((file) => [file, place.read(file)]))
  for (const [expected, spoil, message] of cases) {
    spoil()
    const { code, lines, last } = await reproduce(place, hash)
    assert.deepEqual([code, failures(lines)[0]?.code], [2, expected])
    assert.match(failures(lines)[0]!.message, message)
    assert.deepEqual(last, { type: 'reproduced', experiment: null, stages: [] })
    assert.ok(!lines.some(({ type }) => type === 'stage-started'))
    for (const [file, text] of whole) place.write(file, text)
    place.env['MARK'] = '.'
  }
  const { code, last } = await reproduce(place, 'ffff')
  assert.deepEqual([code, last['experiment']], [2, null])
})

it('says which packages are other versions now, and runs all the same', async (t) => {
  const { place, hash } = await recorded(t)
  const file = 'node_modules/shouting/package.json'
  place.write(file, place.read(file).replace('1.2.3', '1.3.0'))
  const { code, errors } = await place.run('reproduce', hash)
  assert.equal(code, 0)
  assert.match(errors, /^warning: The package "shouting" is 1\.3\.0 here; the experiment ran with 1\.2\.3\..*\n$/)
})

it('is stopped by Ctrl-C and leaves nothing behind', { timeout: 60_000 }, async (t) => {
  const { place, hash } = await recorded(t, (place) => {
    place.write(
      'pipeline.yaml',
      PIPELINE.replace('cat "$2"', 'echo > started; while [ -e wait ]; do sleep 0.05; done; cat "$2"'),
    )
  })
  const before = readdirSync(join(place.root, 'artifacts'))
  place.write('wait', '')
  rmSync(join(place.root, 'started'))
  const { child, ended } = place.start(['reproduce', hash, '--json'])
  await place.until('started')
  child.kill('SIGINT')
  const { code, out } = await ended
  const last = JSON.parse(out.trimEnd().split('\n').at(-1)!) as Line
  assert.deepEqual([code, last.type], [130, 'reproduced'])
  assert.deepEqual(readdirSync(join(place.root, 'artifacts')), before)
})
