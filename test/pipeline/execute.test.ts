import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import type { Event } from '../../lib/pipeline/event.ts'
import { Rig, outcomesOf, shell, stage } from './rig.ts'

const MAKE = 'echo x > "$PIPELINE_OUT_TEXT"'
const OUT = { text: 'text.txt' }
const make = (name: string) => stage(name, shell(`: ${name}; ${MAKE}`), { out: OUT })
const after = (name: string, before: string) => stage(name, shell(MAKE), { in: { text: `${before}.text` }, out: OUT })

/** `bad` fails while `slow` is at work, and `slow` ends after that; many more are ready all the time. */
const wide = (slow: string) => [
  stage('bad', shell('until [ -e started ]; do sleep 0.02; done; [ -e go ]'), { out: OUT }),
  after('after-bad', 'bad'),
  stage('slow', shell(`echo > started; echo said; until [ -e go ]; do sleep 0.02; done; ${slow}`), { out: OUT }),
  after('after-slow', 'slow'),
  ...Array.from({ length: 20 }, (_, n) => make(`ready-${n}`)),
]
const ready = (outcome: string): string[] => Array.from({ length: 20 }, (_, n) => `ready-${n}: ${outcome}`)

test('after a failure nothing new starts, and what runs is let end and kept', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  const events: Event[] = []
  const onEvent = (event: Event): void => {
    events.push(event)
    if (event.type === 'failure') rig.write('go', '')
  }
  const { finished, failures } = await rig.run(wide(MAKE), { jobs: 2, onEvent })
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['COMMAND_FAILED'],
  )
  const expected = ['bad: failed', 'after-bad: skipped', 'slow: ran', 'after-slow: skipped', ...ready('skipped')]
  assert.deepEqual(outcomesOf(finished.stages), expected)
  const started = events.flatMap((event) => (event.type === 'stage-started' ? [event.stage] : []))
  assert.deepEqual(started.toSorted(), ['bad', 'slow'])
  assert.deepEqual(readdirSync(rig.path('artifacts/store')).toSorted(), ['.runs', 'bad', 'slow'])
  const again = await rig.outcomes(wide(MAKE), { jobs: 2 })
  assert.deepEqual(again.slice(0, 4), ['bad: failed', 'after-bad: skipped', 'slow: fresh', 'after-slow: skipped'])
})

test('with keepGoing all runs that does not read the failure', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  const onEvent = (event: Event): void => {
    if (event.type === 'failure') rig.write('go', '')
  }
  const { finished } = await rig.run(wide(MAKE), { jobs: 2, keepGoing: true, onEvent })
  const expected = ['bad: failed', 'after-bad: skipped', 'slow: ran', 'after-slow: ran', ...ready('ran')]
  assert.deepEqual(outcomesOf(finished.stages), expected)
})

test('two that fail at once are both told', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  const onEvent = (event: Event): void => {
    if (event.type === 'failure') rig.write('go', '')
  }
  const { finished, failures } = await rig.run(wide('exit 7'), { jobs: 2, onEvent })
  assert.equal(failures.length, 2)
  assert.match(failures[1]!.message, /exit code 7/)
  assert.deepEqual(outcomesOf(finished.stages).slice(0, 4), [
    'bad: failed',
    'after-bad: skipped',
    'slow: failed',
    'after-slow: skipped',
  ])
})

test(
  'after Ctrl-C nothing new starts, and what runs is stopped, also with keepGoing',
  { timeout: 60_000 },
  async (t) => {
    const rig = new Rig(t)
    const stop = new AbortController()
    const started: string[] = []
    const onEvent = (event: Event): void => {
      if (event.type === 'stage-started') started.push(event.stage)
      if (event.type === 'stage-log') stop.abort()
    }
    const { finished, failures } = await rig.run(wide(MAKE), { jobs: 2, keepGoing: true, signal: stop.signal, onEvent })
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['STAGE_CANCELLED', 'STAGE_CANCELLED'],
    )
    const expected = ['bad: failed', 'after-bad: skipped', 'slow: failed', 'after-slow: skipped', ...ready('skipped')]
    assert.deepEqual(outcomesOf(finished.stages), expected)
    assert.equal(finished.experiment, null)
    assert.deepEqual(started.toSorted(), ['bad', 'slow'])
  },
)

const WHOLE = 'echo whole > "$PIPELINE_OUT_TEXT"'
/** Writes half of its output and says so; then it goes on only where nobody wants it to stop. */
const half = (then: string) => [
  stage('copy', shell(`[ -e armed ] || { ${WHOLE}; exit; }; echo half > "$PIPELINE_OUT_TEXT"; echo said; ${then}`), {
    out: OUT,
  }),
]

test(
  'a cancelled stage is never a hit; what it had is set aside; the last good result is restored',
  { timeout: 60_000 },
  async (t) => {
    const rig = new Rig(t)
    await rig.run([make('copy')])
    rig.write('armed', '')
    for (const signalled of ['signal', 'kill'] as const) {
      const stop = new AbortController()
      const onEvent = (event: Event): void => {
        if (event.type === 'stage-log') stop.abort()
      }
      const { failures, finished } = await rig.run(half('sleep 600'), { [signalled]: stop.signal, onEvent })
      assert.equal(failures[0]?.code, 'STAGE_CANCELLED')
      const folder = `artifacts/store/copy/.failed-${finished.stages[0]!.key!}`
      assert.equal(rig.read(`${folder}/text.txt`), 'half\n')
      assert.equal(rig.read('artifacts/copy/text.txt'), 'x\n', 'the last good result is still the current one')
      assert.equal((await rig.plan(half('sleep 600')))[0]?.state, 'run')
    }
    rmSync(rig.path('armed'))
    rmSync(rig.path('artifacts/copy'))
    assert.deepEqual(await rig.outcomes([make('copy')]), ['copy: restored'])
    assert.deepEqual(await rig.outcomes(half('sleep 600')), ['copy: ran'])
    assert.equal(rig.read('artifacts/copy/text.txt'), 'whole\n')
    const left = readdirSync(rig.path('artifacts/store/copy')).filter((name) => name.startsWith('.'))
    assert.deepEqual(left, [], 'what was set aside made room')
  },
)

test('a result that is made again by force and fails is as good as before', { timeout: 60_000 }, async (t) => {
  const rig = new Rig(t)
  assert.deepEqual(await rig.outcomes(half('exit 3')), ['copy: ran'])
  rig.write('armed', '')
  assert.deepEqual(await rig.outcomes(half('exit 3'), { force: true }), ['copy: failed'])
  assert.equal(rig.read('artifacts/copy/text.txt'), 'whole\n')
  rmSync(rig.path('artifacts/copy'))
  assert.deepEqual(await rig.outcomes(half('exit 3')), ['copy: restored'])
  assert.ok(existsSync(rig.path('artifacts/copy/text.txt')))
})
