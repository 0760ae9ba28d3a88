import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { TextStream } from '../../lib/data/text-stream.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'

const fixtures = join(import.meta.dirname, '../fixtures/data')

describe('a text that comes token by token', () => {
  for (const name of ['byte-level', 'words']) {
    it(`is in the end what all its tokens say together: ${name}`, async () => {
      const { encode, decode } = await loadTokenizer(join(fixtures, name))
      const ids = encode('the naïve 家 of 🦉 is\nhere')
      for (const known of [0, 1, ids.length - 1]) {
        const stream = new TextStream(decode, ids.slice(0, known))
        const parts = ids.slice(known).map((id) => stream.add(id))
        assert.equal(parts.join('') + stream.end(), decode(ids))
        assert.ok(known === ids.length - 1 || parts.filter((part) => part !== '').length > 1)
      }
    })
  }

  it('has whole characters, and what will never be one at its end', async () => {
    const { encode, decode } = await loadTokenizer(join(fixtures, 'byte-level'))
    const ids = encode('a 🦉!')
    const parts = (tokens: readonly number[]): string[] => {
      const stream = new TextStream(decode, [])
      return [...tokens.map((id) => stream.add(id)), stream.end()]
    }
    assert.ok(ids.length > 4, 'the owl takes several tokens')
    for (const part of parts(ids)) assert.ok(!part.includes('\ufffd'), JSON.stringify(part))
    const cut = parts(ids.slice(0, -2))
    assert.match(cut.at(-1)!, /^\ufffd+$/)
    assert.ok(!cut.slice(0, -1).join('').includes('\ufffd'))
  })
})
