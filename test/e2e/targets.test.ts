import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readMeasured } from '../../lib/report/targets.ts'
import { Place, outcomes } from './command.ts'
import { writeLearner } from './learner.ts'

/** The learner whose teacher keeps its targets in this form. */
async function learnerOf(place: Place, form: string): Promise<void> {
  await writeLearner(place)
  const { [0]: before, [1]: after } = place.read('pipeline.yaml').split("    with: { context: '${context}' }\n")
  const others = after!.replace("steps: '${steps}' }", "steps: '${steps}', temperature: '${temperature}' }")
  const params = before!.replace('steps: 8 }', 'steps: 8, temperature: 2 }')
  place.write('pipeline.yaml', `${params}    with: { context: '\${context}', ${form} }\n${others}`)
}

describe('the form of the targets', () => {
  const cases: [string, string, string, number, RegExp, string][] = [
    [
      'topk',
      'form: topk, k: 3, temperatures: [1, 2]',
      'topk, vocabulary 13, k 3, temperatures 1 2',
      20,
      /Stage "distill": The targets hold the tail at the temperatures 1, 2 alone; `temperature` is 3\. Train at 1 or 2, change `temperatures` of `teacher-logits`, or make .*`hidden`.*\[TARGETS_TEMPERATURE\]/,
      'temperature=1',
    ],
    [
      'sampled',
      'form: sampled, samples: 6, temperature: 2',
      'sampled, vocabulary 13, samples 6, temperature 2, seed 1',
      16,
      /Stage "distill": The targets were drawn at temperature 2, .*; `temperature` is 3\. Train at 2, .*\[TARGETS_TEMPERATURE\]/,
      'temperature=2',
    ],
    ['hidden', 'dtype: I8', 'hidden, dtype I8, width 16', 20, /^$/, 'temperature=3'],
  ]
  for (const [kind, written, described, size, refused, served] of cases) {
    it(
      `${kind}: a training reads it, at what temperature it can, and it is not made again`,
      { timeout: 120_000 },
      async (t) => {
        const place = new Place(t)
        await learnerOf(place, written)
        const first = await place.run('run')
        assert.equal(first.code, 0, first.errors)
        const folder = join(place.root, 'artifacts', 'teacher-logits', 'targets')
        const measured = await readMeasured(folder)
        assert.ok(measured.ok)
        assert.deepEqual([measured.value.form, measured.value.bytesPerToken], [described, size])
        assert.ok(measured.value.deviations.length > 0)
        assert.equal(existsSync(join(folder, 'head.safetensors')), kind === 'hidden')
        const { code, errors } = await place.run('run', '--set', 'temperature=3')
        if (kind !== 'hidden') assert.match(errors, refused)
        assert.equal(code, kind === 'hidden' ? 0 : 1)
        const { last } = await place.lines('--set', served)
        assert.ok(outcomes(last).includes('teacher-logits: fresh'), outcomes(last).join())
        assert.ok(!outcomes(last).includes('distill: failed'))
      },
    )
  }
})
