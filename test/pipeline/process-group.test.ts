import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { drive, isAlive } from './drive.ts'
import type { Drive } from './drive.ts'
import { Rig, module, shell, stage, until } from './rig.ts'

/** Its host, itself, a child, a grandchild, one that left the group, one of that one, and one that forgot who started it. */
const FAMILY = `echo $PPID $$ >> pids
sleep 600 & echo $! >> pids
sh -c 'sleep 600 & echo $! >> pids; wait' &
setsid sh -c 'trap "" TERM INT HUP; sleep 600 & echo $$ $! >> pids; wait; wait' &
env -i sleep 600 & echo $! >> pids
until [ $(wc -w < pids) -ge 7 ]; do sleep 0.02; done
echo half > "$PIPELINE_OUT_TEXT"`
const MEMBERS = 7
const ARMED = '[ -e armed ] || { echo whole > "$PIPELINE_OUT_TEXT"; exit; }'

const family = (rest: string) => [stage('family', shell(`${ARMED}\n${FAMILY}\n${rest}`), { out: { text: 'text.txt' } })]

function armed(t: TestContext): Rig {
  // before the folder goes
  t.after(() =>
    pidsOf(rig)
      .filter(isAlive)
      .forEach((pid) => process.kill(pid, 'SIGKILL')),
  )
  const rig = new Rig(t)
  rig.write('armed', '')
  rig.write('pids', '')
  return rig
}

const pidsOf = (rig: Rig): number[] => [...rig.read('pids').matchAll(/\d+/g)].map(Number)
const isReady = (rig: Rig) => (): boolean => existsSync(rig.path('ready'))

/** Nobody of a stage is left, nothing of it was published, and the next run makes it. */
async function isGone(t: TestContext, rig: Rig, stages: ReturnType<typeof family>, run: Drive): Promise<void> {
  await until(() => !pidsOf(rig).some(isAlive), t)
  assert.equal(pidsOf(rig).length, MEMBERS)
  assert.deepEqual(
    run.told.flatMap(({ type, code }) => (type === 'failure' ? [code] : [])),
    ['STAGE_CANCELLED'],
  )
  assert.ok(!existsSync(rig.path('artifacts/family')))
  rmSync(rig.path('armed'))
  assert.deepEqual(await rig.outcomes(stages), ['family: ran'])
  assert.equal(rig.read('artifacts/family/text.txt'), 'whole\n')
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} ends a stage with its children and grandchildren`, { timeout: 30_000 }, async (t) => {
    const rig = armed(t)
    const stages = family('echo > ready; wait')
    const run = await drive(rig, stages, { graceSeconds: 600 })
    await until(isReady(rig), t)
    run.child.kill(signal)
    assert.equal((await run.ended).code, 128 + constants.signals[signal])
    await isGone(t, rig, stages, run)
  })
}

const DEAF = `trap 'echo > asked' TERM; echo > ready; while :; do sleep 0.02; done`

for (const second of ['SIGINT', 'SIGTERM'] as const) {
  test(`SIGINT leaves a stage its time, ${second} after it does not`, { timeout: 30_000 }, async (t) => {
    const rig = armed(t)
    const stages = family(DEAF)
    const run = await drive(rig, stages, { graceSeconds: 600 })
    await until(isReady(rig), t)
    run.child.kill('SIGINT')
    await until(() => existsSync(rig.path('asked')), t)
    run.child.kill(second)
    assert.equal((await run.ended).code, 130)
    await isGone(t, rig, stages, run)
  })
}

test('a stage that does not stop ends when its time is over', { timeout: 30_000 }, async (t) => {
  const rig = armed(t)
  const stages = family(DEAF)
  const run = await drive(rig, stages, { graceSeconds: 0.2 })
  await until(isReady(rig), t)
  run.child.kill('SIGINT')
  assert.equal((await run.ended).code, 130)
  await isGone(t, rig, stages, run)
})

test('a stage that ended well leaves no process behind', { timeout: 30_000 }, async (t) => {
  const rig = armed(t)
  assert.deepEqual(await rig.outcomes(family('exit 0')), ['family: ran'])
  await until(() => !pidsOf(rig).some(isAlive), t)
  assert.equal(rig.read('artifacts/family/text.txt'), 'half\n')
})

/** Keeps a checkpoint, starts a program, and then holds its thread, as an engine does. */
const HELD = `import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
export default {
  params: { type: 'object', properties: { folder: { type: 'string' } } }, in: [], out: ['text'],
  async run({ with: { folder }, out, checkpoint }) {
    const step = checkpoint + '/step'
    if (!existsSync(folder + '/armed')) return writeFileSync(out.text, readFileSync(step, 'utf8'))
    writeFileSync(step, '41')
    writeFileSync(out.text, 'half')
    const { pid } = spawn('sh', ['-c', 'trap "" TERM; sleep 600 & echo $! >> ' + folder + '/pids; wait'])
    appendFileSync(folder + '/pids', process.pid + ' ' + pid + '\\n')
    for (;;);
  },
}`

test(
  'a stage whose driver was killed with -9 ends within 2 s; the next run takes over its lock and checkpoint',
  { timeout: 30_000 },
  async (t) => {
    const rig = armed(t)
    rig.write('held.ts', HELD)
    const stages = [stage('held', module('held.ts'), { out: { text: 'text.txt' }, with: { folder: rig.root } })]
    const run = await drive(rig, stages)
    await until(() => pidsOf(rig).length === 3, t)
    assert.deepEqual(pidsOf(rig).map(isAlive), [true, true, true])
    run.child.kill('SIGKILL')
    await run.ended
    const start = performance.now()
    await until(() => !pidsOf(rig).some(isAlive) || performance.now() - start > 2000, t)
    assert.deepEqual(pidsOf(rig).map(isAlive), [false, false, false])
    const left = readdirSync(rig.path('artifacts/store/held')).map((name) => name.replace(/-.*/, ''))
    assert.deepEqual(left.toSorted(), ['.checkpoint', '.lock', '.lock', '.tmp'])
    rmSync(rig.path('armed'))
    assert.deepEqual(await rig.outcomes(stages), ['held: ran'])
    assert.deepEqual(rig.notices(), [])
    assert.equal(rig.read('artifacts/held/text.txt'), '41')
    assert.ok(readdirSync(rig.path('artifacts/store/held')).every((name) => !name.startsWith('.')))
  },
)

test(
  'a program whose driver was killed with -9 ends within 2 s, with what left its group',
  { timeout: 30_000 },
  async (t) => {
    const rig = armed(t)
    const stages = family(`echo 41 > "$PIPELINE_CHECKPOINT/step"; ${DEAF}`)
    const run = await drive(rig, stages)
    await until(isReady(rig), t)
    assert.deepEqual(pidsOf(rig).map(isAlive), Array<boolean>(MEMBERS).fill(true))
    run.child.kill('SIGKILL')
    await run.ended
    const start = performance.now()
    await until(() => !pidsOf(rig).some(isAlive) || performance.now() - start > 2000, t)
    assert.deepEqual(pidsOf(rig).map(isAlive), Array<boolean>(MEMBERS).fill(false))
    assert.ok(!existsSync(rig.path('artifacts/family')))
    const left = readdirSync(rig.path('artifacts/store/family'), { recursive: true }).map(String)
    const step = left.find((name) => name.startsWith('.checkpoint') && name.endsWith('step'))
    assert.equal(rig.read(`artifacts/store/family/${step!}`), '41\n')
    rmSync(rig.path('armed'))
    assert.deepEqual(await rig.outcomes(stages), ['family: ran'])
    assert.deepEqual(rig.notices(), [])
    assert.equal(rig.read('artifacts/family/text.txt'), 'whole\n')
  },
)
