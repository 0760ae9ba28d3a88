import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { drive } from './drive.ts'
import { Rig, shell, stage } from './rig.ts'

test('of two runs at once one makes the result, and the other waits and shares it', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  const script =
    'echo ran >> count; while [ ! -e go ]; do sleep 0.02; done; cp "$PIPELINE_IN_TEXT" "$PIPELINE_OUT_TEXT"'
  const stages = [stage('only', shell(script), { in: { text: './input.txt' }, out: { text: 'text.txt' } })]
  const one = await drive(rig, stages)
  await one.hears((told) => told.type === 'stage-started')
  const two = await drive(rig, stages)
  const { message = '' } = await two.hears((told) => told.code === 'LOCK_WAIT')
  const holder = `"only" waits for process ${one.child.pid!} (on ${hostname()}, since `
  assert.ok(message.startsWith(holder), message)
  assert.match(message, /since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\), which makes the same result\.$/)
  rig.write('go', '')
  assert.deepEqual([(await one.ended).code, (await two.ended).code], [0, 0])
  assert.equal(rig.read('count'), 'ran\n')
  const outcome = (told: typeof one.told) => told.find((event) => event.type === 'stage-finished')?.outcome
  assert.equal(outcome(one.told), 'ran')
  assert.match(String(outcome(two.told)), /restored|fresh/)
})

test(
  'two runs at once of different stages of one pipeline do not disturb each other',
  { timeout: 60_000 },
  async (t) => {
    const rig = new Rig(t)
    const make = (name: string) =>
      stage(name, shell(`echo ${name} > "$PIPELINE_OUT_TEXT"`), { out: { text: 'text.txt' } })
    const runs = await Promise.all([drive(rig, [make('a')]), drive(rig, [make('a')]), drive(rig, [make('a')])])
    assert.deepEqual(await Promise.all(runs.map(async (run) => (await run.ended).code)), [0, 0, 0])
    assert.equal(readFileSync(rig.path('artifacts/a/text.txt'), 'utf8'), 'a\n')
  },
)
