import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, it } from 'node:test'
import { startPipeline } from '../../bench/command.ts'
import { copyProject } from '../../bench/copy.ts'

const data = process.env['PIPELINE_DATA']
if (data === undefined) throw new Error('PIPELINE_DATA must name the folder of real corpora')
const project = copyProject(join(import.meta.dirname, '..', '..'))
after(() => rmSync(project, { recursive: true, force: true }))

const recipes = ['-p', 'recipes/wikitext2-small.yaml', '-p', 'recipes/smoke.yaml', '--set', `data=${resolve(data)}`]
const models = ['teacher', 'baseline', 'control', 'student']

interface Metrics {
  readonly perplexity: Readonly<Record<string, number>>
  readonly acc: Readonly<Record<string, number>>
  readonly accNorm: Readonly<Record<string, number>>
}

it('the recipe for WikiText-2, shortened, goes from raw text to a report; a new temperature reruns four stages', async () => {
  const first = await startPipeline(project, recipes).ended
  assert.ok(first.stages.every(({ outcome }) => outcome === 'ran'))
  const { perplexity, acc, accNorm } = first.metrics as unknown as Metrics
  for (const model of models) {
    // twelve steps from nothing: better than a guess among 50,257 tokens, by far not good
    assert.ok(perplexity[model]! > 50 && perplexity[model]! < 50_257, `${model}: ${perplexity[model]}`)
    for (const share of [acc[model]!, accNorm[model]!]) assert.ok(share >= 0 && share <= 1)
  }
  const page = readFileSync(join(project, 'artifacts', 'experiments', first.experiment!, 'report.html'), 'utf8')
  assert.match(page, /WikiText-2 from nothing/)
  assert.ok(page.includes(first.experiment!.slice(0, 16)))

  const again = await startPipeline(project, recipes).ended
  assert.deepEqual(
    again.stages.filter(({ outcome }) => outcome !== 'fresh'),
    [],
  )
  assert.equal(again.experiment, first.experiment)

  const changed = await startPipeline(project, [...recipes, '--set', 'distill.temperature=4']).ended
  const ran = changed.stages.filter(({ outcome }) => outcome === 'ran').map(({ name }) => name)
  assert.deepEqual(ran.sort(), ['agreement[student]', 'distill', 'evaluate[student]', 'report'])
  assert.notEqual(changed.experiment, first.experiment)
})
