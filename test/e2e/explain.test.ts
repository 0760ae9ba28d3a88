import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { it } from 'node:test'
import type { Explanation } from '../../lib/pipeline/explain.ts'
import type { Difference, Section } from '../../lib/pipeline/difference.ts'
import { Place } from './command.ts'

const UPPER = `import { readFileSync, writeFileSync } from 'node:fs'
import { mark } from './mark.ts'
import 'left'
export default {
  params: { type: 'object', properties: { times: { type: 'number', default: 1 } } },
  in: ['text'], out: ['text'],
  async run({ with: { times }, in: inputs, out }) {
    writeFileSync(out.text, readFileSync(inputs.text, 'utf8').repeat(times) + mark)
  },
}
`

const YAML = `version: 1
metrics: last.metrics
params: { word: a, times: 2 }
stages:
  first:
    cmd: [sh, -c, 'printf %s "$1" > "$2"', sh, '\${word}', '\${out.text}']
    out: [text]
  second:
    run: second.ts
    in: { text: first.text }
    with: { times: '\${times}' }
    out: [text]
  cells:
    cmd: [cp, '\${in.text}', '\${out.text}']
    matrix: { k: [1, 2] }
    in: { text: second.text }
    with: { k: '\${matrix.k}' }
    out: [text]
  last:
    cmd: [sh, -c, 'echo "{\\"length\\": $(wc -c < "$1")}" > "$2"', sh, '\${in.text}', '\${out.metrics}']
    in: { text: second.text, all: cells.text }
    out: [metrics: metrics.json]
`

/** `stage  file:line:column field  from → to` of every change, in order. */
const chain = ({ steps }: Explanation): string[] =>
  steps.flatMap(({ stage, changes }) =>
    changes.map(({ place, field, from, to }) => {
      const at = place === undefined ? '' : `${place.file}:${place.line}:${place.column} `
      return `${stage}  ${at}${field}  ${from} → ${to}`.replace(/"[0-9a-f]{12}"/g, '#')
    }),
  )

function project(t: ConstructorParameters<typeof Place>[0]): Place {
  const place = new Place(t)
  place.write('pipeline.yaml', YAML)
  place.write('second.ts', UPPER)
  place.write('mark.ts', "export const mark = '!'\n")
  install(place, '1.0.0')
  return place
}

function install(place: Place, version: string): void {
  const left = { version, integrity: `sha512-${version}` }
  place.write('package.json', '{}')
  place.write('package-lock.json', JSON.stringify({ lockfileVersion: 3, packages: { 'node_modules/left': left } }))
  place.write('node_modules/left/package.json', JSON.stringify({ name: 'left', version, main: 'index.js' }))
  place.write('node_modules/left/index.js', '')
}

/** Changes a parameter of the first stage, and all that the second is made of. */
function change(place: Place): void {
  place.write('pipeline.yaml', YAML.replace('word: a', 'word: b').replace('times: 2', 'times: 3'))
  place.write('mark.ts', "// another\nexport const mark = '?'\n")
  install(place, '1.2.0')
}

const explain = async (place: Place, stage: string): Promise<Explanation[]> => {
  const { out, code, errors } = await place.run('explain', stage, '--json')
  assert.equal(code, 0, errors)
  return (JSON.parse(out) as { stages: Explanation[] }).stages
}

it('explains a stage by the chain of causes, from the first change to it', async (t) => {
  const place = project(t)
  const [never] = await explain(place, 'second')
  assert.deepEqual([never!.state, never!.reason, never!.steps.length], ['run', 'it has not run yet', 1])
  assert.deepEqual([never!.steps[0]!.since, never!.estimate], [null, null])
  assert.ok(!place.has('artifacts'), 'an explanation touches nothing')
  await place.lines()
  const [fresh] = await explain(place, 'last')
  assert.deepEqual([fresh!.state, chain(fresh!)], ['fresh', []])
  assert.equal(fresh!.steps[0]!.since!.key, fresh!.key)

  change(place)
  const first = 'first  pipeline.yaml:6:5 first.cmd.4  "a" → "b"'
  const second = [
    'second  mark.ts  # → #',
    'second  pipeline.yaml:3:27 second.times  2 → 3',
    'second  package left  "1.0.0" → "1.2.0"',
  ]
  const waits = (stage: string): string =>
    `${stage}  pipeline.yaml:${stage === 'last' ? 21 : 16}:17 in.text (second.text)  # → (not made yet)`
  const [last] = await explain(place, 'last')
  assert.equal(last!.state, 'may-run')
  assert.deepEqual(chain(last!), [
    first,
    ...second,
    'second  pipeline.yaml:10:17 in.text (first.text)  # → (not made yet)',
    waits('cells[1]'),
    waits('cells[2]'),
    'last  pipeline.yaml:21:35 in.all  {"1":#,"2":#} → (not made yet)',
    waits('last'),
  ])
  const cells = await explain(place, 'cells')
  assert.deepEqual(
    cells.map(({ stage }) => stage),
    ['cells[1]', 'cells[2]'],
  )
  assert.deepEqual(chain((await explain(place, 'cells[2]'))[0]!).at(-1), waits('cells[2]'))

  // what was made meanwhile is compared with what the result was made of then
  await place.lines('second')
  const [half] = await explain(place, 'cells[1]')
  assert.equal(half!.state, 'run')
  assert.deepEqual(chain(half!), [
    first,
    ...second.slice(0, 2),
    'second  pipeline.yaml:10:17 in.text (first.text)  # → #',
    ...second.slice(2),
    'cells[1]  pipeline.yaml:16:17 in.text (second.text)  # → #',
  ])
  const { out } = await place.run('explain', 'cells[1]')
  assert.match(
    out,
    /^run {6}cells\[1\] {2}in\.text .*\n\nWhat changed, first causes first\nfirst +pipeline\.yaml:6:5 +first\.cmd\.4 +"a" → "b"\n/,
  )
  assert.match(out, /\nmade {5}\d{4}-\d\d-\d\d \d\d:\d\d by cells\[1\]\ntook .* s\nengine {3}auto\n/)
  assert.match(out, /\nTime\nabout .* s, as the earlier result\n$/)
})

it('a result that was read then and is gone is said to be', async (t) => {
  const place = project(t)
  await place.lines()
  change(place)
  const [result] = place.results('second')
  rmSync(`${place.root}/artifacts/store/second/${result!}`, { recursive: true })
  await place.lines('second')
  const { out } = await place.run('explain', 'last')
  assert.match(out, /\nsecond +the result that was read then is not in the store any more\n/)
})

it('says what differs between two experiments, and nothing else', async (t) => {
  const place = project(t)
  const a = (await place.lines()).last.experiment as string
  change(place)
  const b = (await place.lines()).last.experiment as string
  const { out, code } = await place.run('diff', a.slice(0, 10), b.slice(0, 10), '--json')
  assert.equal(code, 0)
  const { type, ...found } = JSON.parse(out) as { type: string; a: string; b: string } & Record<Section, Difference[]>
  assert.deepEqual([type, found.a, found.b], ['difference', a, b])
  assert.deepEqual(found.parameters, [{ name: 'second.times', a: 2, b: 3 }])
  assert.deepEqual(found.metrics, [{ name: 'length', a: 3, b: 4 }])
  assert.deepEqual(found.packages, [{ name: 'left', a: '1.0.0 sha512-1.0.0', b: '1.2.0 sha512-1.2.0' }])
  assert.deepEqual(
    found.code.map(({ name }) => name),
    ['first.cmd', 'second', 'mark.ts'],
  )
  assert.deepEqual([found.stages, found.inputs, found.environment], [[], [], []])
  const words = await place.run('diff', a, b)
  assert.match(words.out, /\n\nparameters\nsecond\.times {2}2 {2}→ {2}3\n\ncode\n/)
  assert.match(words.out, /\npackages\nleft {2}"1\.0\.0" {2}→ {2}"1\.2\.0"\n/)
  assert.match((await place.run('diff', a, a)).out, /\n\nNothing differs\.\n$/)
})

it('says what differs of inputs, of files, and of where it ran: machine, Node, engine and device', async (t) => {
  const place = project(t)
  const run = async (): Promise<string> => (await place.lines('second')).last.experiment as string
  place.write('pipeline.yaml', YAML.replace('out: [text]', "out: [text]\n    in: { list: 'file:list.txt' }"))
  place.write('list.txt', 'one')
  const a = await run()
  place.write('list.txt', 'two')
  place.write('pipeline.yaml', place.read('pipeline.yaml').replace('out: [text]', 'out: [text: text.txt]'))
  const b = await run()
  // as another machine would have recorded it
  const file = `artifacts/experiments/${b}/record.json`
  const record = JSON.parse(place.read(file)) as { machine: object; engine: string; stages: Record<string, object> }
  Object.assign(record.machine, { cpu: 'Other', node: 'v99.0.0' })
  Object.assign(record.stages['second']!, { device: 'cuda, NVIDIA H200', engine: 'cuda' })
  place.write(file, JSON.stringify({ ...record, engine: 'cuda' }))
  await place.run('tag', a, 'before')
  const { out } = await place.run('diff', 'before', b, '--json')
  const found = JSON.parse(out) as Record<Section, Difference[]>
  const rows = (section: Section): unknown[] => found[section].map(({ name, a, b }) => [name, a ?? null, b ?? null])
  assert.deepEqual(rows('stages'), [['first.out.text', 'text', 'text.txt']])
  assert.deepEqual(
    found.inputs.map(({ name }) => name),
    ['list.txt'],
  )
  assert.deepEqual(
    rows('environment').map((row) => [(row as string[])[0], (row as string[])[2]]),
    [
      ['engine', 'cuda'],
      ['machine.cpu', 'Other'],
      ['machine.node', 'v99.0.0'],
      ['second.engine', 'cuda'],
      ['second.device', 'cuda, NVIDIA H200'],
    ],
  )
  assert.deepEqual([found.parameters, found.code, found.packages, found.metrics], [[], [], [], []])
  const words = (await place.run('diff', 'before', b)).out
  assert.match(words, new RegExp(`^${a.slice(0, 16)} {2}[\\d: -]+ {2}before\\n${b.slice(0, 16)} `))
  assert.match(words, /\nmachine\.node +"v\d+\.\d+\.\d+" +→ +"v99\.0\.0"\n/)
})

it('a stage or hash that is not there, or not the only one, is a mistake of the user', async (t) => {
  const place = project(t)
  const a = (await place.lines('first')).last.experiment as string
  const cases: [string[], RegExp][] = [
    [
      ['explain', 'secnd'],
      /There is no stage "secnd"; did you mean "second"\? There are "first", "second", "cells\[1\]"/,
    ],
    [['explain', 'cells[3]'], /There is no stage "cells\[3\]".* \[STAGE_UNKNOWN\]/],
    [['diff', a, 'nothing'], /No experiment's hash begins with "nothing".* \[EXPERIMENT_UNKNOWN\]/],
    [['diff', a], /missing required argument 'b'/],
  ]
  for (const [args, message] of cases) {
    const { code, errors, out } = await place.run(...args)
    assert.deepEqual([args.join(' '), code, out], [args.join(' '), 2, ''])
    assert.match(errors, message)
  }
  const record = place.read(`artifacts/experiments/${a}/record.json`)
  const twin = `${a.slice(0, 8)}${'0'.repeat(56)}`
  place.write(`artifacts/experiments/${twin}/record.json`, record.replaceAll(a, twin))
  const { code, errors } = await place.run('diff', a.slice(0, 8), a)
  assert.equal(code, 2)
  assert.match(errors, /begins the hashes of 2 experiments: .* Give more digits\. \[EXPERIMENT_AMBIGUOUS\]/)
})
