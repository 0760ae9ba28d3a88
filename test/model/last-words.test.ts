import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { scoreLastWords } from '../../lib/model/last-words.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { loadModel } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { Plain, quiet } from './plain.ts'
import { engine, fixtures, scratch } from './rig.ts'
import { textOf, writeWords } from './words.ts'

const tokenizer = await writeWords(scratch(), 61)

describe('last words', async () => {
  const model = hold(engine, await loadModel(join(fixtures, 'gpt2')))
  const plain = new Plain(model)
  const likeliestAfter = async (row: readonly number[]): Promise<number> => {
    const logits = (await plain.logits(row)).at(-1)!
    return logits.indexOf(Math.max(...logits))
  }

  it('are right where every token is the likeliest, and cost what plain arithmetic says', async () => {
    const random = new Random(2, 'texts')
    const texts: { context: number[]; word: number[]; right: boolean }[] = []
    for (let n = 0; n < 24; n++) {
      const context = Array.from({ length: 1 + (n % 14) }, () => random.below(61))
      const first = await likeliestAfter(context)
      const second = await likeliestAfter([...context, first])
      const wrong = (token: number) => (token + 1) % 61
      // a word of one token, right and wrong; of two, right, wrong at the end, wrong at the start
      const word = [[first], [wrong(first)], [first, second], [first, wrong(second)], [wrong(first), second]][n % 5]!
      texts.push({ context, word, right: n % 5 === 0 || n % 5 === 2 })
    }
    const options = texts.map(({ context, word }) => ({ context: textOf(context), ending: textOf(word) }))
    for (const batch of [1, 7]) {
      const scores = await scoreLastWords(model, tokenizer, options, { convention: 'harness', batch }, quiet)
      assert.deepEqual(
        scores.results.map(({ right, tokens }) => [right, tokens]),
        texts.map(({ right, word }) => [right, word.length]),
      )
      let total = 0
      for (const [n, { context, word }] of texts.entries()) {
        const logProbs = (await plain.logProbs([...context, ...word])).slice(-word.length)
        const sum = logProbs.reduce((all, one) => all + one, 0)
        assert.ok(Math.abs(scores.results[n]!.logProb - sum) < 1e-5)
        total += sum
      }
      assert.equal(scores.acc.value, 10 / 24)
      assert.ok(Math.abs(scores.perplexity.value / Math.exp(-total / 24) - 1) < 1e-5)
      assert.ok(scores.perplexity.low < scores.perplexity.value && scores.perplexity.value < scores.perplexity.high)
    }
  })

  it('say how many contexts were cut', async () => {
    const long = { context: textOf(Array.from({ length: 17 }, (_, n) => n)), ending: textOf([1]) }
    const scores = await scoreLastWords(model, tokenizer, [long], { convention: 'plain', batch: 1 }, quiet)
    assert.match(scores.convention, /; 1 context lost its first tokens to fit the position table\.$/)
    const two = await scoreLastWords(model, tokenizer, [long, long], { convention: 'plain', batch: 1 }, quiet)
    assert.match(two.convention, /; 2 contexts lost their first tokens to fit the position table\.$/)
  })
})
