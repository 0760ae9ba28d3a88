import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import { encodeSplit, writeTokens } from '../../lib/data/tokens.ts'
import type { SplitName } from '../../lib/data/tokens.ts'
import { makeReport } from '../../lib/report/page.ts'
import { readScores } from '../../lib/report/scores.ts'
import type { Scores } from '../../lib/report/scores.ts'
import evaluate from '../../stages/evaluate.ts'

const fixture = join(import.meta.dirname, '..', 'fixtures', 'harness')
const folder = mkdtempSync(join(tmpdir(), 'evaluate-'))
after(() => rmSync(folder, { recursive: true }))

const text = 'The teacher reads a book to the pupils.\nThey learn what it says, and what it means.\n'
const tokenizer = await loadTokenizer(join(fixture, 'model'))
const split = (name: SplitName) => encodeSplit(tokenizer, text.trim().split('\n'), { name, separator: 'eos' })
writeTokens(join(folder, 'tokens'), {
  vocabSize: tokenizer.vocabSize,
  eos: tokenizer.eos,
  tokenizerDigest: tokenizer.digest,
  splits: { train: split('train'), validation: split('validation'), test: split('test') },
})

/** The stage with its defaults, on the fixture's model. */
const run = async (tasks: string, options: object = {}): Promise<Scores> => {
  const scores = join(folder, 'scores.json')
  const properties = Object.entries(evaluate.params.properties) as [string, { default?: unknown }][]
  const defaults = Object.fromEntries(properties.map(([name, schema]) => [name, schema.default]))
  const context = {
    with: { ...defaults, context: 32, items: 12, ...options },
    in: { model: join(fixture, 'model'), tasks, tokens: join(folder, 'tokens') },
    out: { scores },
    ...{ log: () => undefined, progress: () => undefined, signal: new AbortController().signal, checkpoint: folder },
    ...{ engine: { name: 'onnx-cpu', threads: 1 }, ranOn: () => undefined },
  }
  await evaluate.run(context as never)
  const read = await readScores(scores)
  assert.ok(read.ok, read.ok ? '' : read.error.message)
  return read.value
}

const page = { title: 'Title', notes: [], parameters: {} }
const set = (name: string) => join(fixture, `${name}.jsonl`)

describe('stages/evaluate.ts', () => {
  it('scores HellaSwag verbatim unless told otherwise, and says what it did', async () => {
    const plain = (await run(set('hellaswag'))).items!
    assert.match(plain.convention, /^The context is taken verbatim and each ending encoded apart/)
    assert.equal(plain.accNorm, plain.estimates!.accNormByTokens.value)
    const harness = (await run(set('hellaswag'), { convention: 'harness' })).items!
    assert.match(harness.convention, /worded as lm-evaluation-harness words them/)
    assert.equal(harness.accNorm, harness.estimates!.accNormByCharacters.value)
    assert.notDeepEqual(harness.results[0]!.logProbs, plain.results[0]!.logProbs)
    const lines = readFileSync(set('hellaswag'), 'utf8').trim().split('\n').slice(0, 12)
    const activities = lines.map((line) => (JSON.parse(line) as { activity_label: string }).activity_label)
    assert.deepEqual(
      plain.activities!.map(({ activity, count }) => [activity, count]),
      [...new Set(activities)].sort().map((name) => [name, activities.filter((one) => one === name).length]),
    )
  })

  it('gives the perplexity of the test split per token and per word', async () => {
    const { perplexity } = await run(set('copa'), { format: 'copa' })
    assert.equal(perplexity.words, text.trim().split(/\s+/).length)
    assert.ok(Math.abs(perplexity.valuePerWord! - Math.exp(perplexity.nll / perplexity.words)) < 1e-9)
  })

  it('scores items of two contexts, and of three or five endings; chance follows', async () => {
    const contexts = await run(set('winogrande'), { format: 'winogrande' })
    assert.deepEqual(contexts.baselines, [])
    assert.match(makeReport({ student: contexts }, {}, page).page, /among 2; guessing reaches 50\u00a0%/)
    const uneven = await run(set('arc-uneven'), { format: 'arc', convention: 'harness' })
    const counts = uneven.items!.results.map(({ logProbs }) => logProbs.length)
    assert.deepEqual(counts.sort(), [3, 3, 3, 3, 3, 3, 5, 5, 5, 5]) // (6 / 3 + 4 / 5) / 10
    assert.match(makeReport({ student: uneven }, {}, page).page, /among 3 to 5; guessing reaches 28\u00a0%/)
  })

  it('scores last words, which two models are compared by', async () => {
    const own = await run(set('lambada-own'), { format: 'lambada' })
    assert.ok(own.lastWords)
    const other = await run(set('lambada'), { format: 'lambada', items: own.lastWords.count })
    assert.equal(own.items, null)
    const { page: told, metrics } = makeReport({ student: own, control: other }, {}, page)
    assert.deepEqual(metrics['acc'], { control: 0, student: 1 })
    assert.deepEqual(metrics['accNorm'], {})
    assert.match(told, /The distilled student answers better than the control/)
    assert.match(told, /100\.0\u00a0% and 0\.0\u00a0% of 8 questions right/)
    const fewer = await run(set('lambada'), { format: 'lambada', items: 3 })
    assert.throws(() => makeReport({ student: own, control: fewer }, {}, page), { code: 'SCORES_ITEMS_DIFFER' })
    assert.match(told, /<summary>Last words, with bootstrap intervals<\/summary>/)
  })

  it('names what is wrong with the items before it scores anything', async () => {
    writeFileSync(join(folder, 'wrong.jsonl'), '{"query":"Why?","choices":["so"],"gold":0}\n')
    await assert.rejects(run(join(folder, 'wrong.jsonl'), { format: 'arc' }), { code: 'ITEMS_INVALID' })
    await assert.rejects(run(set('arc-easy')), { code: 'ITEMS_INVALID' })
  })
})
