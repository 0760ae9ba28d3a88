import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Rig, shell, stage } from './rig.ts'

it('a change of a long value is shown around its first difference', async (t) => {
  const rig = new Rig(t)
  const make = (text: string) => [stage('a', shell('echo x > "$PIPELINE_OUT_O"'), { with: { text }, out: { o: 'o' } })]
  const [before, after] = ['x'.repeat(200), `${'x'.repeat(99)}y${'x'.repeat(100)}`]
  await rig.run(make(before))
  const [plan] = await rig.plan(make(after))
  const [change] = plan!.changes
  assert.equal(change!.field, 'a.text')
  assert.equal(change!.from, `…${'x'.repeat(60)}…`)
  assert.equal(change!.to, `…${'x'.repeat(30)}y${'x'.repeat(29)}…`)
  const [short] = await rig.plan(make('short'))
  assert.equal(short!.changes[0]!.to, '"short"')
})
