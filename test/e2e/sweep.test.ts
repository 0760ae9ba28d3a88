import assert from 'node:assert/strict'
import { it } from 'node:test'
import { outcomes } from './command.ts'
import { makeProject } from './project.ts'

const recipe = ['-p', 'recipes/temperature-sweep.yaml']
const short = ['--set', 'distill.epochs=0.02', '--set', 'sweep.alphas=[0.5]']

it('a sweep of temperatures asks the teacher once, and another temperature costs one student', async (t) => {
  const place = makeProject(t)
  const first = await place.lines(...recipe, ...short, '--set', 'sweep.temperatures=[1, 2]')
  assert.equal(first.code, 0)
  const cells = ['distill[1,0.5]', 'distill[2,0.5]', 'evaluate-students[1,0.5]', 'evaluate-students[2,0.5]']
  const ran = (last: typeof first.last): string[] =>
    outcomes(last).flatMap((one) => (one.endsWith(': ran') ? [one.slice(0, -5)] : []))
  for (const cell of cells) assert.ok(ran(first.last).includes(cell), cell)
  assert.equal(ran(first.last).filter((name) => name.startsWith('teacher-logits')).length, 1)
  const { sweep } = first.last['metrics'] as { sweep: { students: object } }
  assert.deepEqual(Object.keys(sweep.students), ['1,0.5', '2,0.5'])

  const more = await place.lines(...recipe, ...short, '--set', 'sweep.temperatures=[1, 2, 4]')
  assert.equal(more.code, 0)
  // a student that came out as another did is not scored again
  const anew = ran(more.last).filter((name) => name !== 'evaluate-students[4,0.5]')
  assert.deepEqual(anew, ['distill[4,0.5]', 'report'])
})
