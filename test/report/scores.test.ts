import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readCurves } from '../../lib/report/curves.ts'
import { readScores } from '../../lib/report/scores.ts'
import type { Scores } from '../../lib/report/scores.ts'
import { answers, losses, makeCurve, makeScores } from './models.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scores-'))
})
after(() => rm(folder, { recursive: true }))

const good: Scores = makeScores({ right: answers(20, 0.5), documents: losses(25, 1.5) })
const ends: Scores = {
  ...makeScores({ right: null }),
  lastWords: {
    count: 2,
    acc: { value: 0.5, standardError: 0.5, low: 0, high: 1 },
    perplexity: { value: Math.exp(3), low: Math.exp(2), high: Math.exp(4) },
    results: [
      { right: true, logProb: -2, tokens: 1 },
      { right: false, logProb: -4, tokens: 2 },
    ],
    convention: 'The last word of a text.',
  },
}
const write = (value: unknown) => writeFile(join(folder, 'scores.json'), JSON.stringify(value))

const mistake = async (value: unknown): Promise<string> => {
  await write(value)
  const result = await readScores(folder)
  assert.ok(!result.ok)
  assert.equal(result.error.code, 'SCORES_INVALID')
  return result.error.message
}

describe('scores.json', () => {
  it('is read by its own path and by its folder, as it was written', async () => {
    await write(good)
    for (const path of [folder, join(folder, 'scores.json')]) {
      assert.deepEqual(await readScores(path), { ok: true, value: good })
    }
  })

  it('may hold last words, and words of the text', async () => {
    const { perplexity } = ends
    const value = { ...ends, perplexity: { ...perplexity, words: 50, valuePerWord: Math.exp(perplexity.nll / 50) } }
    await write(value)
    assert.deepEqual(await readScores(folder), { ok: true, value })
  })

  it('may be without items and documents', async () => {
    const plain = makeScores({ right: null })
    await write(plain)
    assert.deepEqual(await readScores(folder), { ok: true, value: plain })
  })

  it('that is missing or no JSON is named', async () => {
    const missing = await readScores(join(folder, 'none.json'))
    assert.ok(!missing.ok && missing.error.code === 'SCORES_MISSING' && missing.error.message.includes('none.json'))
    await writeFile(join(folder, 'scores.json'), '{"model": ')
    const cut = await readScores(folder)
    assert.ok(!cut.ok && cut.error.code === 'SCORES_INVALID')
  })

  const items = good.items!
  const cases: [what: string, value: unknown, message: RegExp][] = [
    ['a field of another type', { ...good, model: 3 }, /"model": expected a string, found 3/],
    ['a missing field', { ...good, samples: undefined }, /"samples": expected a list, found nothing/],
    ['an unknown field', { ...good, item: null }, /"item": expected one of model, .*found "item"/],
    [
      'NaN, which JSON writes as null',
      { ...good, perplexity: { ...good.perplexity, value: NaN } },
      /finite number, found null/,
    ],
    [
      'a perplexity that its sums do not give',
      { ...good, perplexity: { ...good.perplexity, value: 2 } },
      /"perplexity.value": expected/,
    ],
    [
      'documents that do not add up',
      { ...good, perplexity: { ...good.perplexity, documents: [] } },
      /perplexity.documents/,
    ],
    [
      'fewer results than items',
      { ...good, items: { ...items, results: items.results.slice(1) } },
      /20 entries, found 19/,
    ],
    [
      'an accuracy that its results do not give',
      { ...good, items: { ...items, acc: 0.9 } },
      /"items.acc": expected 0\.\d+/,
    ],
    [
      'a perplexity per word that its sums do not give',
      { ...good, perplexity: { ...good.perplexity, words: 9, valuePerWord: 2 } },
      /"perplexity.valuePerWord": expected/,
    ],
    [
      'last words that are right more often than counted',
      { ...ends, lastWords: { ...ends.lastWords!, acc: { ...ends.lastWords!.acc, value: 0 } } },
      /"lastWords.acc.value": expected 0\.5/,
    ],
    [
      'a perplexity of last words that they do not give',
      { ...ends, lastWords: { ...ends.lastWords!, perplexity: { value: 2, low: 1, high: 3 } } },
      /"lastWords.perplexity.value": expected 20\.0/,
    ],
    [
      'fewer last words than counted',
      { ...ends, lastWords: { ...ends.lastWords!, count: 3 } },
      /"lastWords.results": expected 3 entries, found 2/,
    ],
    [
      'a last word that is neither right nor wrong',
      { ...ends, lastWords: { ...ends.lastWords!, results: [{ right: 1, logProb: -1, tokens: 1 }] } },
      /results\[0\]\.right": expected true or false, found 1/,
    ],
    [
      'a choice beyond the endings',
      { ...good, items: { ...items, results: items.results.map((r) => ({ ...r, choice: 4 })) } },
      /results\[0\]": expected label and choices below 4/,
    ],
  ]
  for (const [what, value, message] of cases) {
    it(`with ${what} is refused, the place named`, async () => assert.match(await mistake(value), message))
  }
})

describe('curves', () => {
  const file = () => join(folder, 'curves.jsonl')

  it('are read line by line', async () => {
    const points = makeCurve(60, 3, 1, true)
    await writeFile(file(), points.map((point) => `${JSON.stringify(point)}\n`).join(''))
    assert.deepEqual(await readCurves(file()), { ok: true, value: points })
  })

  it('with a broken line are refused, the line named', async () => {
    await writeFile(
      file(),
      '{"step":1,"loss":2,"rate":0.1,"gradNorm":1}\n{"step":2,"loss":null,"rate":0.1,"gradNorm":1}\n',
    )
    const result = await readCurves(file())
    assert.ok(!result.ok && result.error.code === 'CURVES_INVALID')
    assert.match(result.error.message, /line 2: "loss": expected a finite number, found null/)
  })

  it('that are missing are named', async () => {
    const result = await readCurves(join(folder, 'none.jsonl'))
    assert.ok(!result.ok && result.error.code === 'CURVES_MISSING')
  })
})
