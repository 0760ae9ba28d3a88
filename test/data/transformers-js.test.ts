import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AutoTokenizer, env } from '@xenova/transformers'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'

const fixtures = join(import.meta.dirname, '../fixtures/data')
const temporary = mkdtempSync(join(tmpdir(), 'transformers-js-'))
after(() => rmSync(temporary, { recursive: true }))
env.allowRemoteModels = false

// JavaScript's \s and \w are not Unicode's. Where they part ours follows the Rust tokenizers, the client does not:
// U+FEFF is a space to it and U+0085 none, and a word is ASCII.
const cases: [string, RegExp, number][] = [
  ['byte-level', /^[^\u0085\ufeff]*$/, 300],
  ['words', /^[ -~\n\t]+$/, 25],
]

for (const [name, ordinary, least] of cases) {
  describe(`tokenizer "${name}" read by transformers.js`, async () => {
    const folder = join(temporary, name)
    cpSync(join(fixtures, name), folder, { recursive: true })
    const config = { tokenizer_class: 'PreTrainedTokenizer', unk_token: '<unk>' }
    writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
    const theirs = await AutoTokenizer.from_pretrained(folder)
    const ours = await loadTokenizer(folder)
    const rows = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
      text: string
      special: number[]
    }[]
    const texts = rows.map(({ text }) => text).filter((text) => ordinary.test(text))

    it('gives the ids that ours gives', () => {
      assert.ok(texts.length >= least, `${texts.length} texts`)
      for (const text of [...texts, texts.join(' '), texts.join('\n\n')]) {
        const ids = theirs.encode(text, { add_special_tokens: false })
        assert.deepEqual(ours.encode(text, { special: true }), ids, JSON.stringify(text))
      }
    })

    it('gives the text that ours gives', () => {
      for (const { special: ids } of rows) {
        if (ids.length === 0) continue
        const options = { skip_special_tokens: false, clean_up_tokenization_spaces: false }
        assert.equal(ours.decode(ids), theirs.decode(ids, options))
      }
    })
  })
}
