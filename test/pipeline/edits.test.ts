import assert from 'node:assert/strict'
import { chmodSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { it } from 'node:test'
import { planRun } from '../../lib/pipeline/plan.ts'
import type { State } from '../../lib/pipeline/plan.ts'
import { Random } from '../../lib/util/random.ts'
import { FORMS, VALUES, VARIABLE, expected, writeProject } from './edited.ts'
import type { Project } from './edited.ts'
import { Rig } from './rig.ts'

const EDITS = 520

/** What a run's outcome may be where the plan said so. */
const AGREES: Readonly<Record<State, readonly string[]>> = {
  fresh: ['fresh'],
  restore: ['restored'],
  run: ['ran'],
  'may-run': ['fresh', 'restored', 'ran'],
}

/** Of these edits no stage comes to be another. */
const QUIET: ReadonlySet<string> = new Set(['form', 'comment', 'touch', 'asked', 'order'])

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
    beside: 'a',
    asked: '',
    folder: 'a',
    name: 'second',
    extra: false,
    order: 'as read',
  }
  const seen = new Map<string, number>()
  /** Whether the last run came to its end, so that of what changes nothing all is fresh. */
  let ran = true
  await check(rig, project, [], false)
  for (let done = 0; done < EDITS;) {
    const edits = Array.from({ length: 1 + random.below(5) }, () => edit(rig, project, random))
    done += edits.length
    const all = await check(rig, project, edits, ran)
    for (const said of all) seen.set(said, (seen.get(said) ?? 0) + 1)
    ran = !all.includes('refused')
  }
  t.diagnostic([...seen].map(([said, count]) => `${said}: ${count}`).join(', '))
  for (const said of [
    'fresh fresh',
    'restore restored',
    'run ran',
    'may-run ran',
    'may-run fresh',
    'may-run restored',
    'refused',
  ]) {
    assert.ok((seen.get(said) ?? 0) > 0, `no edit led to "${said}"`)
  }
})

/** Makes one edit and says what it was, its kind first. */
function edit(rig: Rig, project: Project, random: Random): string {
  const kind = random.pick([...KINDS, ...KINDS, 'store', 'damage'] as const)
  if (kind === 'form') project.form = random.below(FORMS.length)
  if (kind === 'comment') project.comment++
  if (kind === 'store') return remove(rig, random)
  if (kind === 'damage') return damage(rig, random)
  if (kind === 'touch') return touch(rig, random)
  if (kind !== 'value') return kind
  const name = random.pick(Object.keys(VALUES) as (keyof typeof VALUES)[])
  const value = random.pick<Project[typeof name]>(VALUES[name]!)
  Object.assign(project, { [name]: value })
  return `${name} = ${JSON.stringify(value)}`
}

const KINDS = ['value', 'value', 'form', 'comment', 'touch'] as const

/** Deletes a result, a file of one, or a stage's link. */
function remove(rig: Rig, random: Random): string {
  const stage = random.pick(stagesOf(rig))
  const files = resultFiles(rig, stage)
  const results = [...new Set(files.map((file) => dirname(file)))]
  const target = random.pick([join('artifacts', stage), ...results, ...files])
  rmSync(rig.path(target), { recursive: true, force: true })
  return `deleted ${target}`
}

/** Changes a file of a result behind the store's back: an output, a log or a manifest. */
function damage(rig: Rig, random: Random): string {
  const files = stagesOf(rig).flatMap((stage) => resultFiles(rig, stage))
  if (files.length === 0) return 'damaged nothing'
  const file = random.pick(files)
  const how = random.pick(['flipped', 'cut', 'longer', 'a program'] as const)
  const path = rig.path(file)
  const bytes = readFileSync(path)
  chmodSync(path, how === 'a program' ? 0o755 : 0o644)
  if (how === 'cut') writeFileSync(path, bytes.subarray(0, bytes.length >> 1))
  if (how === 'longer') writeFileSync(path, Buffer.concat([bytes, Buffer.from('x')]))
  if (how === 'flipped' && bytes.length > 0) {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    writeFileSync(path, bytes)
  }
  return `damaged ${file}: ${how}`
}

/** The time of a file is no content. */
function touch(rig: Rig, random: Random): string {
  const files = [
    'input.txt',
    'folder',
    'mark.ts',
    'second.ts',
    ...stagesOf(rig).flatMap((stage) => resultFiles(rig, stage)),
  ]
  const file = random.pick(files)
  if (rig.has(file)) utimesSync(rig.path(file), new Date(), new Date(random.below(1e9) * 1000))
  return `touch = ${file}`
}

const stagesOf = (rig: Rig): string[] =>
  readdirSync(rig.path('artifacts/store'))
    .filter((name) => !name.startsWith('.'))
    .sort()

/** Files of all results of a stage, sorted by names that are the same in each run of this test. */
function resultFiles(rig: Rig, stage: string): string[] {
  const folder = join('artifacts/store', stage)
  const keys = readdirSync(rig.path(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name))
  return keys.sort().flatMap((key) =>
    readdirSync(rig.path(folder, key))
      .sort()
      .map((file) => join(folder, key, file)),
  )
}

/** Plans and runs, and gives `state outcome` of every stage, or `refused`. */
async function check(rig: Rig, project: Project, edits: readonly string[], ran: boolean): Promise<string[]> {
  const loaded = await writeProject(rig, project)
  const after = `after ${edits.join('; ')}`
  if (project.text === null) {
    assert.deepEqual(loaded.ok ? [] : loaded.error.map(({ code }) => code), ['INPUT_MISSING'], after)
    return ['refused']
  }
  assert.ok(loaded.ok, after)
  const pipeline = loaded.value
  const plan = await planRun(pipeline, { resolveRevisions: () => Promise.reject(new Error('there is no hub')) })
  assert.ok(plan.ok, after)
  const { finished } = await rig.run(pipeline)
  const quiet = ran && edits.every((one) => QUIET.has(one.split(' ')[0]!))
  for (const [stage, text] of Object.entries(expected(project))) {
    assert.equal(rig.read(`artifacts/${stage}/text`), text, `"${stage}" ${after}`)
  }
  return plan.value.stages.map(({ stage, state, reason, key }, index) => {
    const { name, outcome, key: made } = finished.stages[index]!
    assert.equal(name, stage)
    assert.ok(AGREES[state].includes(outcome), `"${stage}": ${state} (${reason}), but ${outcome}, ${after}`)
    assert.ok(key === null || key === made, `"${stage}" got another key than was planned, ${after}`)
    assert.ok(!quiet || state === 'fresh', `"${stage}": ${state} (${reason}), although nothing changed, ${after}`)
    return `${state} ${outcome}`
  })
}
