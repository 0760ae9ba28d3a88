import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { drive } from './drive.ts'
import { Rig, shell, stage } from './rig.ts'

const stages = [
  stage('first', shell('echo first > "$PIPELINE_OUT_TEXT"'), { out: { text: 'text.txt' } }),
  stage('second', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
    in: { text: 'first.text' },
    out: { text: 'text.txt' },
  }),
]

test(
  'a disk that is full at any write: a failure that says so, nothing half published',
  { timeout: 120_000 },
  async (t) => {
    const rig = new Rig(t)
    const count = rig.path('count')
    await (
      await drive(rig, stages, { env: { INJECT_COUNT: count, INJECT_ONLY: 'artifacts' } })
    ).ended
    const writes = Number(readFileSync(count, 'utf8'))
    assert.ok(writes > 40, `${writes} writes`)
    let failed = 0
    // one in seven, another seventh on each day of the year
    for (let at = 1 + (new Date().getDate() % 7); at <= writes; at += 7) {
      rmSync(rig.path('artifacts'), { recursive: true, force: true })
      const run = await drive(rig, stages, {
        env: { INJECT: 'ENOSPC', INJECT_AT: String(at), INJECT_ONLY: 'artifacts' },
      })
      const { code } = await run.ended
      const failures = run.told.filter(({ type }) => type === 'failure')
      assert.equal(code, failures.length > 0 ? 1 : 0, `write ${at}`)
      assert.ok(
        failures.every((failure) => failure.code === 'DISK_FULL'),
        `write ${at}`,
      )
      assert.equal(run.told.at(-1)?.type, 'finished')
      assert.equal(run.told.at(-1)?.experiment === null, failures.length > 0, `write ${at}`)
      failed += failures.length
      await rig.run(stages)
      assert.deepEqual(rig.notices(), [], 'a half-published result was found')
      assert.equal(rig.read('artifacts/second/text.txt'), 'first\n')
      for (const name of ['first', 'second']) {
        const left = readdirSync(rig.path('artifacts/store', name)).filter((file) => /^\.(tmp|lock)/.test(file))
        assert.deepEqual(left, [])
      }
      assert.deepEqual(await rig.outcomes(stages), ['first: fresh', 'second: fresh'])
    }
    assert.ok(failed > 5, `${failed} failures`)
  },
)
