import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import { shell, stage } from '../pipeline/rig.ts'
import { TEXT, assertRecovers, atEachWrite, inject, one, rigWithInput, two } from './recover.ts'

const timeout = 240_000

test(
  'a driver killed with -9 before or within each of its writes leaves nothing wrong to be restored',
  { timeout },
  async (t) => {
    const rigs = [rigWithInput(t), rigWithInput(t)]
    const writes = await atEachWrite(rigs, one, inject('kill'), 1, async (rig, run, at) => {
      assert.equal((await run.ended).signal, 'SIGKILL', `write ${at}`)
      await assertRecovers(rig, one, `write ${at}`)
    })
    assert.ok(writes > 40, `${writes} writes`)
  },
)

test(
  'a driver killed with -9 at any time leaves nothing wrong, and what was made before is still there',
  { timeout },
  async (t) => {
    const rig = rigWithInput(t)
    const before = [stage('first', shell('echo before > "$PIPELINE_OUT_TEXT"'), { out: { text: 'text.txt' } })]
    for (const about of [100, 150, 200, 250, 320, 400, 500]) {
      const milliseconds = about * (0.8 + 0.4 * Math.random())
      rmSync(rig.path('artifacts'), { recursive: true, force: true, maxRetries: 5 })
      await rig.run(before)
      const run = await drive(rig, two)
      setTimeout(() => run.child.kill('SIGKILL'), milliseconds)
      await run.ended
      const what = `after ${milliseconds} ms`
      await assertRecovers(rig, two, what)
      assert.deepEqual(await rig.outcomes(before), ['first: restored'], what)
      assert.equal(rig.read('artifacts/first/text.txt'), 'before\n', what)
    }
  },
)

/** Writes its output in five steps and dies of the one that `die` names. */
const WRITER = `import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
const die = existsSync('die') ? Number(readFileSync('die', 'utf8')) : 0
let step = 0
const may = () => { if (++step === die) process.kill(process.pid, 'SIGKILL') }
may()
const fd = openSync(process.env.PIPELINE_OUT_TEXT + '.part', 'w')
const text = readFileSync(process.env.PIPELINE_IN_TEXT)
may()
writeSync(fd, text.subarray(0, 100))
may()
writeSync(fd, text.subarray(100))
closeSync(fd)
may()
renameSync(process.env.PIPELINE_OUT_TEXT + '.part', process.env.PIPELINE_OUT_TEXT)
may()
`

test('a stage killed with -9 at each of its writes is a failure that is never a hit', { timeout }, async (t) => {
  const rig = rigWithInput(t)
  rig.write('writer.mjs', WRITER)
  const stages = [
    stage('first', shell('exec node writer.mjs'), { in: { text: './input.txt' }, out: { text: 'text.txt' } }),
  ]
  for (let step = 1; step <= 5; step++) {
    rig.write('die', String(step))
    const { failures } = await rig.run(stages, { force: true })
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['COMMAND_FAILED'],
      `step ${step}`,
    )
    rmSync(rig.path('die'))
    assert.deepEqual(await rig.outcomes(stages), ['first: ran'], `step ${step}`)
    assert.equal(rig.read('artifacts/first/text.txt'), TEXT)
    rmSync(rig.path('artifacts'), { recursive: true, maxRetries: 5 })
  }
})

test('a stage or its host killed with -9 is a failure that is never a hit', { timeout }, async (t) => {
  for (const victim of ['$$', '$PPID']) {
    const rig = rigWithInput(t)
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
