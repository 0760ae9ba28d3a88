import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { writeRandomModel } from '../../bench/random-model.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import type { Scores } from '../../lib/report/scores.ts'
import { outcomes } from '../e2e/command.ts'
import { writePublishedConfig } from '../e2e/published.ts'
import { readExperiment, sources, sourcesOf, startRealPair } from '../e2e/real-pair.ts'

const data = process.env['PIPELINE_DATA']
if (data === undefined) throw new Error('PIPELINE_DATA must name the folder of real corpora')
const models = mkdtempSync(join(tmpdir(), 'pair-'))
after(() => rmSync(models, { recursive: true }))

const common = { vocabSize: 50_257, epsilon: 1e-5, tied: true } as const
const gpt2: GptConfig = {
  ...{ ...common, architecture: 'gpt2', context: 1024, width: 768, layers: 12, heads: 12, inner: 3072 },
  attention: Array.from({ length: 12 }, () => 'global'),
  window: 1024,
}
/** GPT-Neo-2.7B with two of its 32 layers. */
const gptNeo: GptConfig = {
  ...{ ...common, architecture: 'gpt_neo', context: 2048, width: 2560, layers: 2, heads: 20, inner: 10_240 },
  attention: ['global', 'local'],
  window: 256,
}

function makeModel(name: string, config: GptConfig, ...tokenizer: string[]): string {
  const folder = join(models, name)
  writeRandomModel(folder, config, 'F16')
  writePublishedConfig(folder, config, 50_256)
  for (const file of tokenizer) cpSync(join(data!, 'tokenizer', file), join(folder, file))
  return folder
}

const limits = ['context=32', 'distill.steps=2', 'distill.validationRows=1', 'distill.batch=2', 'distill.accumulate=2']
const few = ['evaluate.context=32', 'evaluate.stride=16', 'evaluate.items=2', 'evaluate.prompts=[The river]']

it('the recipes for the real pair run with models of its shapes, but for the number of layers of the teacher', async (t) => {
  const teacher = makeModel('teacher', gptNeo, 'vocab.json', 'merges.txt')
  const student = makeModel('student', gpt2, 'tokenizer.json')
  const { place } = await startRealPair(t, { teacher, student })
  const args = ['-p', 'recipes/gpt2-wikitext2.yaml', ...[...limits, ...few].flatMap((limit) => ['--set', limit])]
  const cold = await place.lines(...args)
  assert.equal(cold.code, 0)
  assert.equal(outcomes(cold.last).length, 13)
  assert.ok(outcomes(cold.last).every((outcome) => outcome.endsWith(': ran')))
  const { record, page } = readExperiment(place, cold.last)
  assert.deepEqual(sourcesOf(record), sources)
  assert.match(page, /GPT-Neo, 2 layers, 2560 wide/)
  // GPT-2's own number; GPT-Neo-2.7B's 2,651,307,520 without 30 layers of 78,668,800
  for (const [model, parameters] of Object.entries({ student: 124_439_808, teacher: 291_243_520 })) {
    const scores = JSON.parse(place.read(`artifacts/evaluate/${model}/scores`)) as Scores
    assert.equal(scores.parameters, parameters)
  }
  const { perplexity } = cold.last.metrics as { perplexity: Readonly<Record<string, number>> }
  // weights drawn small and at random guess about evenly among 50,257 tokens
  for (const [model, value] of Object.entries(perplexity)) {
    assert.ok(value > 10_000 && value < 250_000, `${model}: ${value}`)
  }
  const again = await place.lines(...args)
  assert.deepEqual([again.code, outcomes(again.last).filter((outcome) => !outcome.endsWith(': fresh'))], [0, []])

  const seed = await place.lines(...args.slice(0, 2), '-p', 'recipes/seed.yaml', ...args.slice(2))
  assert.equal(seed.code, 0)
  assert.match(readExperiment(place, seed.last).page, /with the settings of the first program/)
  const rerun = outcomes(seed.last).filter((outcome) => outcome.endsWith(': ran'))
  for (const stage of ['teacher-mixed[openbookqa]', 'teacher-mixed[hellaswag]', 'distill', 'control']) {
    assert.ok(rerun.includes(`${stage}: ran`), stage)
  }
  assert.ok(!rerun.includes('teacher-logits: ran'))
  assert.match(place.read('artifacts/distill/log.txt'), /first 6 layers, which do not learn, is kept/)
})
