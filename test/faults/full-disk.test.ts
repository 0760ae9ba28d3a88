import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRecovers, atEachWrite, inject, one, rigWithInput } from './recover.ts'

test(
  'a disk that is full at any write: a failure that says so, nothing half published',
  { timeout: 240_000 },
  async (t) => {
    let failed = 0
    const rigs = [rigWithInput(t), rigWithInput(t)]
    await atEachWrite(rigs, one, inject('ENOSPC'), 2, async (rig, run, at) => {
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
      await assertRecovers(rig, one, `write ${at}`)
    })
    assert.ok(failed > 5, `${failed} failures`)
  },
)
