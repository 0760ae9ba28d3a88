import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { Rig, module, shell, stage } from './rig.ts'

const UPPER = `export default {
  params: { type: 'object', properties: { times: { type: 'integer', default: 2 } } },
  in: ['text'], out: ['text'],
  async run({ with: { times }, in: input, out, log, progress, ranOn, engine }) {
    const { readFileSync, writeFileSync } = await import('node:fs')
    writeFileSync(out.text, readFileSync(input.text, 'utf8').toUpperCase().repeat(times))
    log('wrote ' + times)
    progress({ done: 1, total: 1, unit: 'files' })
    ranOn('test, ' + engine.threads + ' threads')
  },
}`

const chain = (script: string, times: number) => [
  stage('first', shell(script), { in: { text: './input.txt' }, out: { text: 'text.txt' } }),
  stage('second', module('upper.ts'), { in: { text: 'first.text' }, out: { text: 'text.txt' }, with: { times } }),
]
const COPY = 'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'

test('runs programs and modules, restores and stays fresh, and cuts off early at equal bytes', async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  rig.write('upper.ts', UPPER)
  assert.deepEqual(await rig.outcomes(chain(COPY, 2)), ['first: ran', 'second: ran'])
  assert.equal(rig.read('artifacts/second/text.txt'), 'ABCABC')
  assert.ok(rig.events.some((event) => event.type === 'stage-log' && event.line === 'wrote 2'))
  assert.ok(rig.events.some((event) => event.type === 'stage-progress' && event.stage === 'second'))
  assert.deepEqual(await rig.outcomes(chain(COPY, 2)), ['first: fresh', 'second: fresh'])
  assert.deepEqual(await rig.outcomes(chain(COPY, 3)), ['first: fresh', 'second: ran'])
  assert.equal(rig.read('artifacts/second/text.txt'), 'ABCABCABC')
  assert.deepEqual(await rig.outcomes(chain(COPY, 2)), ['first: fresh', 'second: restored'])
  assert.equal(rig.read('artifacts/second/text.txt'), 'ABCABC')
  assert.deepEqual(await rig.outcomes(chain(`${COPY} ; true`, 2)), ['first: ran', 'second: fresh'])
})

test('the plan says what the run then does', async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  rig.write('upper.ts', UPPER)
  const before = await rig.plan(chain(COPY, 2))
  assert.deepEqual(
    before.map((plan) => plan.state),
    ['run', 'run'],
  )
  assert.ok(!existsSync(rig.path('artifacts')))
  await rig.run(chain(COPY, 2))
  const [, second] = await rig.plan(chain(COPY, 4))
  assert.equal(second?.state, 'run')
  assert.deepEqual(
    second.changes.map(({ field, from, to }) => [field, from, to]),
    [['second.times', '2', '4']],
  )
})
