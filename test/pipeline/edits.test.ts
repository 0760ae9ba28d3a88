import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import type { Pipeline } from '../../lib/pipeline/pipeline.ts'
import { planRun } from '../../lib/pipeline/plan.ts'
import type { State } from '../../lib/pipeline/plan.ts'
import { Random } from '../../lib/util/random.ts'
import { Rig } from './rig.ts'

const EDITS = 520
const VARIABLE = 'EDITS_TEST_VARIABLE'

/** What a run's outcome may be where the plan said so. */
const AGREES: Readonly<Record<State, readonly string[]>> = {
  fresh: ['fresh'],
  restore: ['restored'],
  run: ['ran'],
  'may-run': ['fresh', 'restored', 'ran'],
}

/** All that an edit can change; `null` is a variable that is not set. */
interface Project {
  word: string
  times: number
  cells: string
  text: string
  mark: string
  variable: string | null
  comment: number
  form: number
}

const MODULE = `import { readFileSync, writeFileSync } from 'node:fs'
import { mark } from './mark.ts'
export default {
  params: { type: 'object', properties: { times: { type: 'number' } } },
  in: ['text'], out: ['text'],
  async run({ with: { times }, in: inputs, out }) {
    writeFileSync(out.text, readFileSync(inputs.text, 'utf8').repeat(times) + mark)
  },
}
`

// the first and the third stage drop a part of what they read, so that a change may end there
const yaml = ({ word, times, cells }: Project): string => `version: 1
params: { word: ${word}, times: ${times} }
stages:
  first:
    cmd: [sh, -c, 'cut -c1 "$1" > "$2"; echo $3 >> "$2"', sh, '\${in.text}', '\${out.text}', '\${word}']
    in: { text: ./input.txt }
    out: [text]
  second:
    run: second.ts
    in: { text: first.text }
    with: { times: '\${times}' }
    out: [text]
  third:
    cmd: [sh, -c, 'wc -l < "$1" > "$2"; echo $3 >> "$2"', sh, '\${in.text}', '\${out.text}', '\${with.cell}']
    matrix: { cell: ${cells} }
    in: { text: second.text }
    with: { cell: '\${matrix.cell}' }
    out: [text]
  last:
    cmd: [sh, -c, 'echo "$0" "$${VARIABLE}" > "$1"', '\${in.all}', '\${out.text}']
    in: { all: third.text }
    env: [${VARIABLE}]
    out: [text]
`

/** The same document in other words. */
const FORMS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => `# a comment\n\n${text.replace(/word: (\w)/, 'word: "$1"').replace(/times: (\d)/, 'times: $1.0')}`,
  (text) => text.replace(/params: \{ (.*), (.*) \}/, 'params:\n    $2 # a comment\n    $1'),
]

const VALUES: { readonly [name in keyof Project]?: readonly Project[name][] } = {
  word: ['x', 'y'],
  times: [1, 2],
  cells: ['[1, 2]', '[1, 3]', '[2]'],
  text: ['abc\n', 'abd\n', 'bcd\n'],
  mark: ['!', '?'],
  variable: [null, '', '1'],
}

it(`the plan of ${EDITS} random edits is what the run then does`, async (t) => {
  const seed = Number(process.env.EDITS_SEED ?? 1)
  t.diagnostic(`seed ${seed}; another: EDITS_SEED=2`)
  t.after(() => Reflect.deleteProperty(process.env, VARIABLE))
  const random = new Random(seed)
  const rig = new Rig(t)
  const project: Project = {
    word: 'x',
    times: 1,
    cells: '[1, 2]',
    text: 'abc\n',
    mark: '!',
    variable: null,
    comment: 0,
    form: 0,
  }
  const seen = new Map<string, number>()
  rig.write('second.ts', MODULE)
  await check(rig, project, [])
  for (let done = 0; done < EDITS;) {
    const edits = Array.from({ length: 1 + random.below(5) }, () => edit(rig, project, random))
    done += edits.length
    for (const said of await check(rig, project, edits)) seen.set(said, (seen.get(said) ?? 0) + 1)
  }
  t.diagnostic([...seen].map(([said, count]) => `${said}: ${count}`).join(', '))
  for (const said of [
    'fresh fresh',
    'restore restored',
    'run ran',
    'may-run ran',
    'may-run fresh',
    'may-run restored',
  ]) {
    assert.ok((seen.get(said) ?? 0) > 0, `no edit led to "${said}"`)
  }
})

/** Makes one edit and says what it was. */
function edit(rig: Rig, project: Project, random: Random): string {
  const kind = random.pick(['value', 'value', 'form', 'form', 'comment', 'comment', 'store'] as const)
  if (kind === 'form') project.form = random.below(FORMS.length)
  if (kind === 'comment') project.comment++
  if (kind === 'store') return remove(rig, random)
  if (kind !== 'value') return kind
  const name = random.pick(Object.keys(VALUES) as (keyof typeof VALUES)[])
  const value = random.pick<Project[typeof name]>(VALUES[name]!)
  Object.assign(project, { [name]: value })
  return `${name} = ${JSON.stringify(value)}`
}

/** Deletes a result, a file of one, or a stage's link. */
function remove(rig: Rig, random: Random): string {
  const stage = random.pick(['first', 'second', 'third', 'last'])
  const keys = readdirSync(rig.path('artifacts/store', stage)).filter((name) => /^[0-9a-f]{64}$/.test(name))
  const result = keys.length === 0 ? '' : join('artifacts/store', stage, random.pick(keys.sort()))
  const files = result === '' ? [] : readdirSync(rig.path(result)).sort()
  const target = random.pick([join('artifacts', stage), result, ...files.map((file) => join(result, file))])
  if (target !== '') rmSync(rig.path(target), { recursive: true, force: true })
  return `deleted ${target}`
}

/** Plans and runs, and gives `state outcome` of every stage. */
async function check(rig: Rig, project: Project, edits: readonly string[]): Promise<string[]> {
  const pipeline = await write(rig, project)
  const plan = await planRun(pipeline, { resolveRevisions: () => Promise.reject(new Error('there is no hub')) })
  assert.ok(plan.ok)
  const { finished } = await rig.run(pipeline)
  const after = `after ${edits.join('; ')}`
  const quiet = edits.length > 0 && edits.every((one) => one === 'form' || one === 'comment')
  return plan.value.stages.map(({ stage, state, reason, key }, index) => {
    const { name, outcome, key: made } = finished.stages[index]!
    assert.equal(name, stage)
    assert.ok(AGREES[state].includes(outcome), `"${stage}": ${state} (${reason}), but ${outcome}, ${after}`)
    assert.ok(key === null || key === made, `"${stage}" got another key than was planned, ${after}`)
    assert.ok(!quiet || state === 'fresh', `"${stage}": ${state} (${reason}), although nothing changed, ${after}`)
    return `${state} ${outcome}`
  })
}

async function write(rig: Rig, project: Project): Promise<Pipeline> {
  rig.write('pipeline.yaml', FORMS[project.form]!(yaml(project)))
  rig.write('input.txt', project.text)
  rig.write('mark.ts', `// comment ${project.comment}\nexport const mark = '${project.mark}'\n`)
  if (project.variable === null) Reflect.deleteProperty(process.env, VARIABLE)
  else process.env[VARIABLE] = project.variable
  const loaded = await loadPipeline({ file: rig.path('pipeline.yaml'), overlays: [], sets: [] })
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.error[0]!.message)
  return loaded.value
}
