import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '../../lib/pipeline/event.ts'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { Rig, module, shell, stage } from './rig.ts'

const OUT = { text: 'text.txt' }
const times = (n: number, backoffSeconds = 0.05) => ({ retries: { times: n, backoffSeconds } })
/** Counts its tries in its checkpoint and in a file, and succeeds at the third. */
const THIRD =
  'echo x >> count; echo x >> "$PIPELINE_CHECKPOINT/tries"; [ "$(wc -l < "$PIPELINE_CHECKPOINT/tries")" -ge 3 ] || exit 7; cp "$PIPELINE_CHECKPOINT/tries" "$PIPELINE_OUT_TEXT"'
const flaky = (retries: Partial<Stage>) => [stage('flaky', shell(THIRD), { out: OUT, ...retries })]
const tries = (rig: Rig): number => rig.read('count').length / 2

function messages({ events }: Rig): string[] {
  return events.flatMap((event) => (event.type === 'notice' ? [`${event.code}: ${event.message}`] : []))
}

test('a stage that fails is tried again, from its checkpoint, after waits that double', async (t) => {
  const rig = new Rig(t)
  assert.deepEqual(await rig.outcomes(flaky(times(2))), ['flaky: ran'])
  const failed = '"sh" ended with exit code 7; a stage has succeeded when its program ends with 0.'
  assert.deepEqual(messages(rig), [
    `RETRY: "flaky" failed: ${failed} Try 2 of 3 begins in 0.05 s.`,
    `RETRY: "flaky" failed: ${failed} Try 3 of 3 begins in 0.1 s.`,
  ])
  const happened = rig.events.map(({ type }) => type).filter((type) => type !== 'stage-log')
  const kinds = ['stage-started', 'notice', 'stage-started', 'notice', 'stage-started', 'stage-finished']
  assert.deepEqual(happened, ['started', ...kinds, 'finished'])
  assert.equal(rig.read('artifacts/flaky/text.txt'), 'x\nx\nx\n')
  assert.deepEqual(await rig.outcomes(flaky(times(0))), ['flaky: fresh'], 'how often is not in the key')
})

test('after the last try the failure stands, and the stage is no hit', async (t) => {
  const rig = new Rig(t)
  const { failures } = await rig.run(flaky(times(1)))
  assert.deepEqual([failures.map(({ code }) => code), tries(rig)], [['COMMAND_FAILED'], 2])
  assert.deepEqual(await rig.outcomes(flaky(times(0))), ['flaky: ran'])
})

test('a time-out, a kill and a missing output are tried again', async (t) => {
  const ends = ['sleep 60', 'kill -9 $PPID; sleep 60', 'rm "$PIPELINE_OUT_TEXT"']
  for (const end of ends) {
    const rig = new Rig(t)
    const script = `echo x >> count; echo x > "$PIPELINE_OUT_TEXT"; [ -e tried ] || { echo > tried; ${end}; }`
    const once = stage('once', shell(script), { out: OUT, timeoutSeconds: 1, ...times(1) })
    assert.deepEqual([await rig.outcomes([once]), tries(rig)], [['once: ran'], 2], end)
  }
})

/** A mistake of the user, as a stage reports it. */
const WRONG = `import { appendFileSync } from 'node:fs'
export default { params: { type: 'object', properties: { folder: { type: 'string' } } }, in: [], out: ['text'], run({ with: { folder } }) {
  appendFileSync(folder + '/count', 'x\\n')
  throw Object.assign(new Error('of another tokenizer'), { code: 'VOCABULARY_DIFFERS', exitCode: 2 })
} }`

test('no try mends a mistake of the user, or an input that is another one now', async (t) => {
  const rig = new Rig(t)
  rig.write('wrong.ts', WRONG)
  const wrong = stage('wrong', module('wrong.ts'), { out: OUT, with: { folder: rig.root }, ...times(3) })
  assert.equal((await rig.run([wrong])).failures[0]?.code, 'VOCABULARY_DIFFERS')
  assert.equal(tries(rig), 1)
  rig.write('input.txt', '')
  rig.write('count', '')
  const script = 'echo x >> count; echo more >> input.txt; echo x > "$PIPELINE_OUT_TEXT"'
  const edits = stage('edits', shell(script), { in: { text: './input.txt' }, out: OUT, ...times(3) })
  assert.equal((await rig.run([edits])).failures[0]?.code, 'INPUT_CHANGED')
  assert.equal(tries(rig), 1)
})

for (const signalled of ['signal', 'kill'] as const) {
  test(`${signalled === 'signal' ? 'Ctrl-C' : 'the second Ctrl-C'} ends the wait for the next try`, async (t) => {
    const rig = new Rig(t)
    const stop = new AbortController()
    let started = 0
    const onEvent = (event: Event): void => {
      if (event.type === 'notice') stop.abort()
      if (event.type === 'stage-started') started += 1
    }
    const { failures } = await rig.run(flaky(times(2, 600)), { [signalled]: stop.signal, onEvent })
    assert.deepEqual([failures.map(({ code }) => code), started], [['STAGE_CANCELLED'], 1])
  })
}

test('after the failure of another stage none is tried again, but with keepGoing', { timeout: 60_000 }, async (t) => {
  for (const keepGoing of [false, true]) {
    const rig = new Rig(t)
    const bad = stage('bad', shell('until [ -e count ]; do sleep 0.02; done; exit 1'), { out: OUT })
    // its first try ends after the failure of the other, its first wait too
    const late = stage(
      'flaky',
      shell(`[ -e go ] || { echo x >> count; until [ -e go ]; do sleep 0.02; done; }; ${THIRD}`),
    )
    const all = [bad, { ...late, out: OUT, ...times(2) }]
    const onEvent = (event: Event): void => {
      if (event.type === 'failure' && event.stage === 'bad') rig.write('go', '')
    }
    const { finished } = await rig.run(all, { jobs: 2, keepGoing, onEvent })
    assert.deepEqual(
      finished.stages.map(({ outcome }) => outcome),
      ['failed', keepGoing ? 'ran' : 'failed'],
    )
    assert.equal(tries(rig), keepGoing ? 4 : 2)
  }
})
