import assert from 'node:assert/strict'
import { chmodSync, lstatSync, readdirSync, renameSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { Place } from './command.ts'

const PIPELINE = `version: 1
params: { distill: { temperature: 2, seed: 1 } } # every knob
stages:
  say: { run: say.ts, with: { times: '\${distill.temperature}' }, out: [text] }
  other: { cmd: [sh, -c, 'echo "$1" > "$2"', sh, '\${distill.seed}', '\${out.o}'], out: [o] }
  after: { cmd: [cp, '\${in.text}', '\${out.o}'], in: { text: say.text }, out: [o] }
`

const STAGE = `import { writeFileSync } from 'node:fs'
export default {
  params: { type: 'object', properties: { times: { type: 'integer', maximum: 9 } } }, in: [], out: ['text'],
  async run({ with: { times }, out }) { writeFileSync(out.text, 'x'.repeat(times)) },
}
`

it('writes a parameter, says what it was and what would run, and refuses what run would', async (t) => {
  const place = new Place(t)
  place.write('say.ts', STAGE)
  place.write('real.yaml', PIPELINE)
  symlinkSync('real.yaml', join(place.root, 'pipeline.yaml'))
  chmodSync(join(place.root, 'real.yaml'), 0o640)
  await place.lines()

  const done = await place.run('set', 'distill.temperature=4')
  assert.deepEqual([done.code, done.errors], [0, ''])
  const lines = done.out.trimEnd().split('\n')
  assert.deepEqual(lines, ['pipeline.yaml:2:35  distill.temperature  2 → 4', 'run      say', 'may run  after'])
  assert.equal(place.read('real.yaml'), PIPELINE.replace('temperature: 2', 'temperature: 4'))
  assert.ok(lstatSync(join(place.root, 'pipeline.yaml')).isSymbolicLink())
  assert.equal(statSync(join(place.root, 'real.yaml')).mode & 0o777, 0o640)
  const again = await place.run('set', 'distill.temperature=4')
  assert.match(again.out, /^nothing changed/)

  const before = place.read('pipeline.yaml')
  for (const [setting, message] of [
    [
      'distill.temprature=3',
      /set:1:1: There is no parameter "distill.temprature" to set\. Did you mean "distill.temperature"/,
    ],
    ['distill.temperature=warm', /pipeline\.yaml:2:35: Stage "say": "times" must be integer; found "warm"/],
    ['distill.temperature=10', /must be <= 9; found 10/],
    ['distill=3', /PARAM_UNKNOWN/],
  ] as const) {
    const { code, errors } = await place.run('set', 'distill.seed=2', setting)
    assert.equal(code, 2, setting)
    assert.match(errors, message)
  }
  assert.equal(place.read('pipeline.yaml'), before, 'nothing of a refused command is written')
  assert.deepEqual(
    readdirSync(place.root).filter((name) => name.endsWith('.tmp')),
    [],
  )
})

it('writes into a recipe, and gives JSON', async (t) => {
  const place = new Place(t)
  place.write('say.ts', STAGE)
  place.write('pipeline.yaml', PIPELINE)
  place.write('warm.yaml', '\uFEFFparams:\r\n  distill: { temperature: 7 } # warm\r\n')
  const { out, code } = await place.run('set', '-p', 'warm.yaml', 'distill.temperature=8', '--json')
  assert.equal(code, 0)
  const said = JSON.parse(out) as { edits: unknown; plan: { stages: { name: string; state: string }[] } }
  assert.deepEqual(said.edits, [
    {
      ...{ name: 'distill.temperature', from: '7', to: '8' },
      place: { file: 'warm.yaml', line: 2, column: 27, text: '  distill: { temperature: 8 } # warm' },
    },
  ])
  assert.deepEqual(
    said.plan.stages.map(({ state }) => state),
    ['run', 'run', 'run'],
  )
  assert.equal(place.read('warm.yaml'), '\uFEFFparams:\r\n  distill: { temperature: 8 } # warm\r\n')
  assert.equal(place.read('pipeline.yaml'), PIPELINE)
  renameSync(join(place.root, 'warm.yaml'), join(place.root, 'gone.yaml'))
  const missing = await place.run('set', '-p', 'warm.yaml', 'a=1')
  assert.deepEqual([missing.code, /FILE_MISSING/.test(missing.errors)], [2, true])
})
