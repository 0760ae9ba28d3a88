import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { Rig, shell, stage } from '../pipeline/rig.ts'
import { assertRight, rigWithInput, two } from './recover.ts'

const timeout = 120_000

test('of two runs at once one makes the result, and the other waits and shares it', { timeout }, async (t) => {
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

/** Runs eight times at once, shared out over the rigs; gives the names of the stages that were made, by whichever run. */
async function eight(rigs: readonly Rig[]): Promise<string[]> {
  const runs: readonly Drive[] = await Promise.all(
    Array.from({ length: 8 }, (_, i) => drive(rigs[i % rigs.length]!, two)),
  )
  const codes = await Promise.all(runs.map(async (run) => (await run.ended).code))
  const told = runs.flatMap((run) => run.told)
  assert.deepEqual(codes, Array<number>(8).fill(0), JSON.stringify(told.filter(({ type }) => type === 'failure')))
  return told.flatMap((event) => (event.type === 'stage-finished' && event.outcome === 'ran' ? [event.name!] : []))
}

async function assertShared(rigs: readonly Rig[], made: readonly string[]): Promise<void> {
  assert.deepEqual(made.toSorted(), ['first', 'second'], 'each stage is made once')
  for (const rig of rigs) {
    assertRight(rig, two)
    assert.deepEqual(await rig.outcomes(two), ['first: fresh', 'second: fresh'])
    assert.deepEqual(rig.notices(), [])
    const beside = ['first', 'second'].flatMap((name) => readdirSync(rig.path('artifacts/store', name)))
    assert.equal(beside.filter((name) => name.startsWith('.')).length, 0, beside.join())
  }
}

test('eight runs at once in one folder make each result once and share it', { timeout }, async (t) => {
  const rig = rigWithInput(t)
  await assertShared([rig], await eight([rig]))
})

for (const shared of ['artifacts/store', 'artifacts']) {
  test(`eight runs at once of two folders with one ${shared} make each result once`, { timeout }, async (t) => {
    const [one, other] = [rigWithInput(t), rigWithInput(t)]
    const place = join(one.root, 'shared')
    mkdirSync(place)
    for (const rig of [one, other]) {
      mkdirSync(rig.path('artifacts', '..', shared, '..'), { recursive: true })
      symlinkSync(place, rig.path(shared))
    }
    await assertShared([one, other], await eight([one, other]))
  })
}

test('eight runs at once find a damaged result: one makes it anew', { timeout }, async (t) => {
  const rig = rigWithInput(t)
  await rig.run(two)
  const { chmodSync, writeFileSync } = process.getBuiltinModule('node:fs')
  chmodSync(rig.path('artifacts/first/text.txt'), 0o644)
  writeFileSync(rig.path('artifacts/first/text.txt'), 'rotten')
  assert.deepEqual(await eight([rig]), ['first'])
  assertRight(rig, two)
})
