import assert from 'node:assert/strict'
import { existsSync, rmSync, statSync, utimesSync } from 'node:fs'
import { test } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'

const COPY = 'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'
const wait = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done`
/** Reads its input between two moments that the test gives, where it is armed. */
const script = `if [ -e armed ]; then ${wait('read')}; ${COPY}; touch has-read; ${wait('end')}; else ${COPY}; fi`
const slow = [stage('slow', shell(script), { in: { text: './input.txt' }, out: { text: 'text.txt' } })]

/** The second is what the test does when the stage has read. */
const EDITS: Readonly<Record<string, [before: (rig: Rig) => void, after: (rig: Rig) => void]>> = {
  'and stays so': [(rig) => rig.write('input.txt', 'xyz'), () => undefined],
  'after it was read': [() => undefined, (rig) => rig.write('input.txt', 'xyz')],
  'and back again': [(rig) => rig.write('input.txt', 'xyz'), (rig) => rig.write('input.txt', 'abc')],
  'and back again, its time too': [
    (rig) => rig.write('input.txt', 'xyz'),
    (rig) => {
      rig.write('input.txt', 'abc')
      utimesSync(rig.path('input.txt'), 1e9, 1e9)
    },
  ],
}

for (const [what, [before, after]] of Object.entries(EDITS)) {
  test(
    `an input that is edited while a stage runs ${what}: said, and nothing is cached`,
    { timeout: 60_000 },
    async (t) => {
      const rig = new Rig(t)
      const reset = (): void => {
        rig.write('input.txt', 'abc')
        utimesSync(rig.path('input.txt'), 1e9, 1e9)
      }
      reset()
      rig.write('armed', '')
      const run = await drive(rig, slow)
      await run.hears(({ type }) => type === 'stage-started')
      before(rig)
      rig.write('read', '')
      await until(() => existsSync(rig.path('has-read')), t)
      after(rig)
      rig.write('end', '')
      assert.equal((await run.ended).code, 1)
      assert.deepEqual(
        run.told.flatMap(({ type, code }) => (type === 'failure' ? [code] : [])),
        ['INPUT_CHANGED'],
      )
      rmSync(rig.path('armed'))
      reset()
      assert.deepEqual(await rig.outcomes(slow), ['slow: ran'])
      assert.equal(rig.read('artifacts/slow/text.txt'), 'abc')
    },
  )
}

test('an edit of the same size that gives the file its old time back is seen', async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  await rig.run(slow)
  const { atime, mtime } = statSync(rig.path('input.txt'))
  rig.write('input.txt', 'xyz')
  utimesSync(rig.path('input.txt'), atime, mtime)
  assert.deepEqual(await rig.outcomes(slow), ['slow: ran'])
  assert.equal(rig.read('artifacts/slow/text.txt'), 'xyz')
})
