import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { drive } from './drive.ts'
import { Rig, shell, stage } from './rig.ts'

const TEXT = '0123456789'.repeat(20)
const SLOWLY = 'for i in 1 2 3 4; do cat "$PIPELINE_IN_TEXT" >> "$PIPELINE_OUT_TEXT"; done'
const stages = [
  stage('first', shell(SLOWLY), { in: { text: './input.txt' }, out: { text: 'text.txt' } }),
  stage('second', shell(SLOWLY), { in: { text: 'first.text' }, out: { text: 'text.txt' } }),
]

/** After whatever happened, a run must give the right bytes and leave nothing half made behind. */
async function recovers(rig: Rig): Promise<void> {
  const outcomes = await rig.outcomes(stages)
  assert.ok(
    outcomes.every((outcome) => /ran|restored|fresh/.test(outcome)),
    outcomes.join(),
  )
  assert.equal(rig.read('artifacts/first/text.txt'), TEXT.repeat(4))
  assert.equal(rig.read('artifacts/second/text.txt'), TEXT.repeat(16))
  const notices = rig.notices().filter((code) => code !== 'LOCK_WAIT') // for a host that ends in a moment
  assert.deepEqual(notices, [], 'a half-published result was found')
  for (const name of ['first', 'second']) {
    const left = readdirSync(rig.path('artifacts/store', name)).filter((file) => /^\.(tmp|lock)/.test(file))
    assert.deepEqual(left, [])
  }
  assert.deepEqual(await rig.outcomes(stages), ['first: fresh', 'second: fresh'])
}

async function countWrites(t: Parameters<NonNullable<Parameters<typeof test>[0]>>[0]): Promise<number> {
  const rig = new Rig(t)
  rig.write('input.txt', TEXT)
  const count = rig.path('count')
  const { code } = await (await drive(rig, stages, { env: { INJECT_COUNT: count, INJECT_ONLY: 'artifacts' } })).ended
  assert.equal(code, 0)
  return Number(readFileSync(count, 'utf8'))
}

test(
  'a driver killed with -9 before or within any of its writes leaves nothing wrong to be restored',
  { timeout: 120_000 },
  async (t) => {
    const writes = await countWrites(t)
    assert.ok(writes > 40, `${writes} writes`)
    const rig = new Rig(t)
    rig.write('input.txt', TEXT)
    // one in five, another fifth on each day of the year
    for (let at = 1 + (new Date().getDate() % 5); at <= writes; at += 5) {
      rmSync(rig.path('artifacts'), { recursive: true, force: true })
      const env = { INJECT: 'kill', INJECT_AT: String(at), INJECT_ONLY: 'artifacts' }
      const { signal } = await (await drive(rig, stages, { env })).ended
      assert.equal(signal, 'SIGKILL', `write ${at}`)
      await recovers(rig)
    }
  },
)

test('a driver killed with -9 at any time leaves nothing wrong to be restored', { timeout: 120_000 }, async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', TEXT)
  for (const milliseconds of [150, 250, 320, 400, 500]) {
    rmSync(rig.path('artifacts'), { recursive: true, force: true })
    const run = await drive(rig, stages)
    setTimeout(() => run.child.kill('SIGKILL'), milliseconds * (0.8 + 0.4 * Math.random()))
    await run.ended
    await recovers(rig)
  }
})

test('a stage or its host killed with -9 is a failure that is never a hit', { timeout: 60_000 }, async (t) => {
  for (const victim of ['$$', '$PPID']) {
    const rig = new Rig(t)
    rig.write('input.txt', TEXT)
    rig.write('armed', '')
    const script = `cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"; if [ -e armed ]; then kill -9 ${victim}; sleep 60; fi`
    const killed = [stage('first', shell(script), { in: { text: './input.txt' }, out: { text: 'text.txt' } })]
    const summary = await rig.run(killed)
    assert.deepEqual(
      summary.finished.stages.map(({ outcome }) => outcome),
      ['failed'],
    )
    assert.match(summary.failures[0]!.code, /COMMAND_FAILED|STAGE_DIED/)
    rmSync(rig.path('armed'))
    assert.deepEqual(await rig.outcomes(killed), ['first: ran'])
    assert.equal(rig.read(join('artifacts', 'first', 'text.txt')), TEXT)
  }
})
