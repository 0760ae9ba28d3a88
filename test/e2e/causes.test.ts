import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { EstimatedPlan } from '../../lib/pipeline/plan.ts'
import { Place } from './command.ts'
import type { Context } from './command.ts'

const PIPELINE = `version: 1
params: { context: 128, word: a, rate: 1 }
stages:
  tokenize:
    cmd: [sh, -c, 'cat "$0" > "$1"; echo "$PIPELINE_WITH" >> "$1"', '\${in.corpus}', '\${out.tokens}']
    in: { corpus: ./corpus.txt }
    with: { context: '\${context}', rate: '\${rate}' }
    out: [tokens]
  targets:
    cmd: [cp, '\${in.tokens}', '\${out.targets}']
    in: { tokens: tokenize.tokens }
    out: [targets]
  distill:
    cmd: [sh, -c, 'cat "$0" "$1" > "$2"; echo "$PIPELINE_WITH" >> "$2"', '\${in.targets}', '\${in.tokens}', '\${out.student}']
    in: { targets: targets.targets, tokens: tokenize.tokens }
    with: { word: '\${word}' }
    out: [student]
  evaluate:
    cmd: [cp, '\${in.student}', '\${out.scores}']
    matrix: { k: [1, 2] }
    in: { student: distill.student }
    out: [scores]
  report:
    cmd: [sh, -c, 'echo done > "$0"', '\${out.page}', '\${in.all}']
    in: { all: evaluate.scores }
    out: [page]
`

async function project(t: Context): Promise<Place> {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  place.write('corpus.txt', 'corpus\n')
  assert.equal((await place.lines()).code, 0)
  return place
}

const edit = (place: Place, from: string, to: string): void =>
  place.write('pipeline.yaml', place.read('pipeline.yaml').replace(from, to))

/** `stage: reads … ← origin field from → to at`, as the JSON has it. */
async function causes(place: Place, ...command: string[]): Promise<string[]> {
  const { stages } = JSON.parse((await place.run(...command, '--json')).out) as {
    stages: (EstimatedPlan & { name: string })[]
  }
  return stages.flatMap(({ name, causes }) =>
    causes.map(({ reads, changed, stage, change, reason }) => {
      const at = change?.place ? ` ${change.place.file}:${change.place.line}:${change.place.column}` : ''
      const why = change === null ? reason : `${change.field} ${change.from} → ${change.to}${at}`
      return `${name}: ${reads} ${changed ? '=' : '?'} ${stage}: ${why}`.replace(/"[0-9a-f]{12}"/g, '#')
    }),
  )
}

const CONTEXT = 'tokenize: tokenize.context 128 → 256 pipeline.yaml:2:20'
const WAITING = [
  `targets: tokenize.tokens ? ${CONTEXT}`,
  `distill: targets.targets ? ${CONTEXT}`,
  `distill: tokenize.tokens ? ${CONTEXT}`,
  `evaluate[1]: distill.student ? ${CONTEXT}`,
  `evaluate[2]: distill.student ? ${CONTEXT}`,
  `report: evaluate[1].scores ? ${CONTEXT}`,
  `report: evaluate[2].scores ? ${CONTEXT}`,
]

test('run --dry-run and status name for each stage the first change that what it reads comes of', async (t) => {
  const place = await project(t)
  for (const command of [['run', '--dry-run'], ['status']]) assert.deepEqual(await causes(place, ...command), [])
  edit(place, 'context: 128', 'context: 256')
  for (const command of [['run', '--dry-run'], ['status']]) {
    assert.deepEqual(await causes(place, ...command), WAITING)
    const { out } = await place.run(...command)
    const by = 'which may change by tokenize.context 128 → 256 (pipeline.yaml:2:20)'
    assert.match(out, /may run {2}distill.* it reads "targets", "tokenize"\n {11}reads /)
    for (const line of [
      `reads targets.targets, tokenize.tokens, ${by}`,
      `reads evaluate[1].scores, evaluate[2].scores, ${by}`,
    ]) {
      assert.ok(out.split('\n').includes(' '.repeat(11) + line), `${line}\n${out}`)
    }
  }
})

test('a change that has been run already is named, too', async (t) => {
  const place = await project(t)
  edit(place, 'context: 128', 'context: 256')
  assert.equal((await place.lines('targets')).code, 0)
  assert.deepEqual((await causes(place, 'status')).slice(0, 3), [
    `distill: targets.targets = ${CONTEXT}`,
    `distill: tokenize.tokens = ${CONTEXT}`,
    `evaluate[1]: distill.student ? ${CONTEXT}`,
  ])
  assert.match(
    (await place.run('status')).out,
    /\n {11}reads targets\.targets, tokenize\.tokens, which changed by tokenize\.context 128 → 256 \(pipeline\.yaml:2:20\)\n/,
  )
})

test('several changes are named at each stage that they reach, three at most; an own change is no cause', async (t) => {
  const place = await project(t)
  edit(place, 'rate: 1', 'rate: 2')
  edit(place, 'word: a', 'word: b')
  place.write('corpus.txt', 'another\n')
  const origins = ['tokenize: tokenize.rate 1 → 2 pipeline.yaml:2:40', 'tokenize: in.corpus # → # pipeline.yaml:6:19']
  const found = await causes(place, 'status')
  assert.deepEqual(found.filter((one) => one.startsWith('targets: ')).sort(), origins.map((one) => `targets: tokenize.tokens ? ${one}`).sort()) // prettier-ignore
  assert.ok(found.includes(`evaluate[1]: distill.student ? distill: distill.word "a" → "b" pipeline.yaml:2:31`), found.join('\n')) // prettier-ignore
  assert.ok(!found.some((one) => one.startsWith('distill: ') && one.includes('distill.word')))
  assert.match((await place.run('status')).out, /which may change by tokenize: in\.corpus "\w{12}" → "\w{12}" \(pip/)
})

test('where nothing was changed, the stage that runs is named, and why; a first run has no causes', async (t) => {
  const place = await project(t)
  rmSync(join(place.root, 'artifacts/targets', 'targets'), { force: true })
  const [first] = await causes(place, 'status')
  assert.match(first!, /^distill: targets\.targets \? targets: its result was damaged: "targets"/)
  rmSync(join(place.root, 'artifacts/store'), { recursive: true })
  assert.deepEqual(await causes(place, 'status'), [])
})
