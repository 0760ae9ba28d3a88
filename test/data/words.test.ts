import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import { encodeSplit } from '../../lib/data/tokens.ts'
import { countWords, wordsOf } from '../../lib/data/words.ts'

const tokenizer = await loadTokenizer(join(import.meta.dirname, '../fixtures/data/byte-level'))

describe('words', () => {
  it('are what white space separates', () => {
    assert.equal(countWords(' = Robert  Boulter = \n\n an actor ,\t1.5 @-@ metre\n'), 10)
    for (const blank of ['', ' \n\t ']) assert.equal(countWords(blank), 0)
  })

  const documents = [' = A = \n one two\n', 'three four five', ' six']
  for (const separator of ['eos', 'none'] as const) {
    it(`of a stream are those of its documents, separator ${separator}`, () => {
      const split = encodeSplit(tokenizer, documents, { name: 'test', separator })
      assert.equal(wordsOf(tokenizer, split, tokenizer.eos, split.ids.length), 5 + 3 + 1)
      const first = split.documents[1]!
      assert.equal(wordsOf(tokenizer, split, tokenizer.eos, first), 5)
      assert.equal(wordsOf(tokenizer, split, tokenizer.eos, first + tokenizer.encode('three four').length), 5 + 2)
    })
  }
})
