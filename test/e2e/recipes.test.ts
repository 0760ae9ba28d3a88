import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { GptConfig } from '../../lib/model/config.ts'
import type { Scores } from '../../lib/report/scores.ts'
import type { JsonObject } from '../../lib/util/json.ts'
import { outcomes } from './command.ts'
import type { Line } from './command.ts'
import { writePublished } from './published.ts'
import { readExperiment, sources, sourcesOf, startRealPair } from './real-pair.ts'

const data = join(import.meta.dirname, '..', 'fixtures', 'data')
const models = mkdtempSync(join(tmpdir(), 'pair-'))
after(() => rmSync(models, { recursive: true }))

const tiny: GptConfig = {
  ...{ architecture: 'gpt2', vocabSize: 340, context: 256, width: 16, layers: 2, heads: 2, inner: 64 },
  attention: ['global', 'global'],
  window: 256,
  epsilon: 1e-5,
  tied: true,
}
const teacher = join(models, 'teacher')
writePublished(teacher, { ...tiny, architecture: 'gpt_neo', attention: ['global', 'local'], window: 8 }, 0)
for (const file of ['vocab.json', 'merges.txt']) cpSync(join(data, 'bpe-files', file), join(teacher, file))
const student = join(models, 'student')
/** One layer more than the first program's settings freeze. */
writePublished(student, { ...tiny, layers: 7, attention: Array.from({ length: 7 }, () => 'global') }, 0)
cpSync(join(data, 'byte-level', 'tokenizer.json'), join(student, 'tokenizer.json'))

const stages = [
  ...['download', 'tokenize', 'teacher-logits', 'distill', 'control'],
  ...['teacher', 'baseline', 'control', 'student'].map((model) => `evaluate[${model}]`),
  ...['baseline', 'control', 'student'].map((model) => `agreement[${model}]`),
  'report',
]
const all = (outcome: string): string[] => stages.map((stage) => `${stage}: ${outcome}`)

const real = ['-p', 'recipes/gpt2-wikitext2.yaml']
const few = ['context=16', 'distill.steps=4', 'distill.validationRows=2']
const parts = [
  ...few,
  'evaluate.context=16',
  'evaluate.stride=8',
  'evaluate.tokens=40',
  'evaluate.items=1',
  'agreement.tokens=40',
]
const limits = parts.flatMap((part) => ['--set', part])

describe('the recipe for the real pair, with tiny models in its place on a hub', { timeout: 120_000 }, () => {
  it('runs to a report and is fresh then, also by a branch, and with the settings of the first program', async (t) => {
    const { place, server } = await startRealPair(t, { teacher, student })
    const cold = await place.lines(...real, ...limits)
    assert.deepEqual([cold.code, outcomes(cold.last)], [0, all('ran')])
    const { record, page } = readExperiment(place, cold.last)
    assert.deepEqual(sourcesOf(record), sources)
    assert.ok(page.includes('GPT-Neo-2.7B teaches GPT-2') && page.includes('GPT-2 124M, published'))
    const limited = { steps: 4, accumulate: 4, validationRows: 2 }
    assertHas(record.stages['distill']?.with, { ...limited, temperature: 2, alpha: 0.7 })
    assertHas(record.stages['control']?.with, { ...limited, alpha: 0 })
    const scores = JSON.parse(place.read('artifacts/evaluate/teacher/scores')) as Scores
    assert.deepEqual([scores.items?.count, scores.perplexity.tokens, scores.perplexity.stride], [1, 39, 8])

    const again = await place.lines(...real, ...limits)
    assert.deepEqual([again.code, outcomes(again.last)], [0, all('fresh')])

    // another commit with the same files: what they make is there
    const source = 'hub:openai-community/gpt2@main'
    const branch = await place.lines(...real, ...limits, '--set', `student.model=${source}`)
    assert.deepEqual([branch.code, ran(branch.last)], [0, ['download']])
    const pinned = { [source]: `hub:openai-community/gpt2@${server.commit}` }
    assert.deepEqual(readExperiment(place, branch.last).record.revisions, pinned)

    const seed = await place.lines(...real, '-p', 'recipes/seed.yaml', ...limits)
    assert.deepEqual(
      [seed.code, ran(seed.last)],
      [
        0,
        [
          ...mixed,
          'distill',
          'control',
          'evaluate[control]',
          'evaluate[student]',
          'agreement[control]',
          'agreement[student]',
          'report',
        ],
      ],
    )
    const { stages: defined } = readExperiment(place, seed.last).record
    const falls = { rate: 0.000005, warmup: 0, decay: 'linear', last: 0, weightDecay: 0.01, batch: 8, accumulate: 1 }
    const blocks = Array.from({ length: 6 }, (_, layer) => `transformer.h.${layer}.*`)
    const curriculum = { mix: { openbookqa: 1, hellaswag: [0.2, 0.13, 0.07] }, freeze: ['transformer.w*', ...blocks] }
    const alpha = { from: 0.7, to: 0.3, shape: 'linear', by: 'step' }
    assertHas(defined['distill']?.with, { ...falls, temperature: 1.5, alpha, ...curriculum })
    assertHas(defined['control']?.with, { ...falls, alpha: 0, ...curriculum })
  })
})

const [first, second] = ['openbookqa', 'hellaswag'].map((corpus) =>
  ['download', 'tokenize', 'teacher'].map((stage) => `${stage}-mixed[${corpus}]`),
) as [string[], string[]]
const mixed = [...first.slice(0, 2), ...second.slice(0, 2), first[2], second[2]]

const ran = (last: Line): string[] =>
  outcomes(last).flatMap((outcome) => (outcome.endsWith(': ran') ? [outcome.slice(0, -5)] : []))

/** The values are among those that a stage was given. */
function assertHas(given: JsonObject | undefined, values: JsonObject): void {
  assert.deepEqual({ ...given, ...values }, given)
}
