import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasWholeRecord } from '../../lib/pipeline/record-file.ts'
import { Random } from '../../lib/util/random.ts'
import { assertRecovers, atEachWrite, cutPower, one, rigWithInput } from './recover.ts'

const SEED = 1

/** After how many writes the file system last committed by itself: never, or some time before the cut. */
const commitBefore = (at: number): number => (at % 2 === 0 ? 0 : new Random(SEED, String(at)).below(at))

test(
  'the power cut at any write, which takes what was not on the disk: nothing wrong, and what was told as made is there',
  { timeout: 300_000 },
  async (t) => {
    const rigs = [rigWithInput(t), rigWithInput(t)]
    let [told, finished] = [0, 0]
    await atEachWrite(rigs, one, cutPower(commitBefore), 1, async (rig, run, at) => {
      const what = `write ${at}, committed after ${commitBefore(at)}, seed ${SEED}`
      assert.equal((await run.ended).signal, 'SIGKILL', what)
      const made = run.told.some(({ type, outcome }) => type === 'stage-finished' && outcome === 'ran')
      const recorded = run.told.findLast(({ type }) => type === 'finished')?.experiment ?? undefined
      if (recorded !== undefined)
        assert.ok(hasWholeRecord(rig.path('artifacts/experiments', recorded)), `${what}: a record is lost`)
      const outcomes = await assertRecovers(rig, one, what)
      if (made) assert.notDeepEqual(outcomes, ['first: ran'], `${what}: a result is lost`)
      told += Number(made)
      finished += Number(recorded !== undefined)
    })
    assert.ok(told > 5 && finished > 0, `${told} runs had told of the stage, ${finished} of the experiment`)
  },
)
