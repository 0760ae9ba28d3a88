import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import { assertRecovers, atEachWrite, inject, one, rigWithInput } from './recover.ts'

test(
  'a disk that is full at any write: a failure that says so, nothing half published',
  { timeout: 120_000 },
  async (t) => {
    let failed = 0
    const rigs = [rigWithInput(t), rigWithInput(t)]
    // one in three, another third on each day of the year
    await atEachWrite(rigs, one, 3, async (rig, at) => {
      const run = await drive(rig, one, inject(rig, 'ENOSPC', at))
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
