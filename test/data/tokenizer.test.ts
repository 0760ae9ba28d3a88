import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'

const fixtures = join(import.meta.dirname, '../fixtures/data')
const temporary = mkdtempSync(join(tmpdir(), 'tokenizer-'))
after(() => rmSync(temporary, { recursive: true }))

interface Row {
  text: string
  ids: number[]
  special: number[]
  decoded: string
}

interface Spec {
  added_tokens: { id: number; content: string; special: boolean }[]
  pre_tokenizer: Record<string, unknown>
  model: { vocab: Record<string, number>; merges: unknown[]; unk_token?: string | null }
}

const readRows = (name: string) => JSON.parse(readFileSync(join(fixtures, name, 'expected.json'), 'utf8')) as Row[]

for (const name of ['byte-level', 'words', 'words-split']) {
  describe(`tokenizer "${name}" against the Rust tokenizers`, () => {
    const rows = readRows(name)
    const loaded = loadTokenizer(join(fixtures, name))

    it('gives the same ids: contractions, letters, numbers, trailing and exotic spaces', async () => {
      const { encode } = await loaded
      for (const { text, ids } of rows) assert.deepEqual(encode(text), ids, JSON.stringify(text))
    })

    it('reads a special token only where it is allowed', async () => {
      const { encode } = await loaded
      assert.ok(rows.some(({ ids, special }) => ids.length !== special.length))
      for (const { text, special } of rows) assert.deepEqual(encode(text, { special: true }), special)
    })

    it('gives the same text back', async () => {
      const { decode } = await loaded
      for (const { ids, decoded } of rows) assert.equal(decode(ids), decoded)
    })
  })
}

describe('byte-level tokenizer', () => {
  const folder = join(fixtures, 'byte-level')

  it('round-trips characters of all of Unicode, and so every byte of UTF-8', async () => {
    const { encode, decode } = await loadTokenizer(folder)
    for (let code = 0; code < 0x110000; code += code < 0x3000 ? 1 : 61) {
      if (code >= 0xd800 && code < 0xe000) continue // surrogates are no characters
      const text = `${String.fromCodePoint(code)} x${String.fromCodePoint(code)}`
      assert.equal(decode(encode(text)), text)
    }
    assert.equal(decode([]), '')
    assert.equal(decode(encode('\ud800')), '\ufffd')
  })

  it('encodes a long text as it encodes its pieces, however often they come back', async () => {
    const { encode } = await loadTokenizer(folder)
    const fresh = await loadTokenizer(folder)
    const rows = readRows('byte-level').filter(({ text }) => !text.includes('<|'))
    const long = rows.map(({ text }) => `${text.trim()} x`).join('\n')
    assert.deepEqual(encode(long), encode(long), 'from the cache as without it')
    assert.deepEqual(encode(long), fresh.encode(long))
    assert.deepEqual(encode('a'.repeat(20_000)).length, 20_000)
  })

  it('is the same from tokenizer.json and from vocab.json with merges.txt', async () => {
    const json = await loadTokenizer(folder)
    const files = await loadTokenizer(join(fixtures, 'bpe-files'))
    assert.equal(files.digest, json.digest)
    assert.deepEqual([files.eos, files.vocabSize], [json.eos, json.vocabSize])
    for (const { text, ids } of readRows('byte-level')) assert.deepEqual(files.encode(text), ids)
  })

  it('reads merges.txt with Windows line ends', async () => {
    const copy = join(temporary, 'windows')
    cpSync(join(fixtures, 'bpe-files'), copy, { recursive: true })
    const merges = readFileSync(join(copy, 'merges.txt'), 'utf8')
    writeFileSync(join(copy, 'merges.txt'), merges.replaceAll('\n', '\r\n'))
    assert.equal((await loadTokenizer(copy)).digest, (await loadTokenizer(folder)).digest)
  })

  it('refuses a text that it has no token for, where the library would drop the character', async () => {
    const poor = edited('poor', (spec) => {
      delete spec.model.vocab['z']
    })
    const { encode } = await loadTokenizer(poor)
    assert.throws(() => encode('a z b'), { name: 'Failure', code: 'TOKENIZER_NO_TOKEN' })
    assert.equal(encode('a b').length > 0, true)
  })
})

describe('tokenizer digest', () => {
  const changes: Record<string, (spec: Spec) => void> = {
    'two ids swapped': ({ model: { vocab } }) => {
      ;[vocab['a'], vocab['b']] = [vocab['b']!, vocab['a']!]
    },
    'a token spelt otherwise': ({ model: { vocab } }) => {
      vocab['ÿÿ'] = vocab['Ā']!
      delete vocab['Ā']
    },
    'the order of two merges': ({ model: { merges } }) => {
      ;[merges[0], merges[1]] = [merges[1], merges[0]]
    },
    'an added token': ({ added_tokens: added }) => {
      added.push({ ...added[0]!, id: 1, content: '!' })
    },
    'a prefix space': ({ pre_tokenizer: step }) => {
      step['add_prefix_space'] = true
    },
  }

  for (const [what, change] of Object.entries(changes)) {
    it(`tells tokenizers of one size apart by content: ${what}`, async () => {
      const base = await loadTokenizer(join(fixtures, 'byte-level'))
      const other = await loadTokenizer(edited(what.replaceAll(' ', '-'), change))
      assert.equal(other.vocabSize, base.vocabSize)
      assert.notEqual(other.digest, base.digest)
    })
  }

  it('does not see the order of keys, nor what moves no id', async () => {
    const other = edited('reordered', (spec) => {
      spec.model.vocab = Object.fromEntries(Object.entries(spec.model.vocab).reverse())
      spec.pre_tokenizer = Object.fromEntries(Object.entries({ ...spec.pre_tokenizer, trim_offsets: false }).reverse())
    })
    const base = await loadTokenizer(join(fixtures, 'byte-level'))
    assert.equal((await loadTokenizer(other)).digest, base.digest)
  })
})

describe('end-of-text token', () => {
  it('is what tokenizer_config.json says, in either form', async () => {
    for (const [name, token] of Object.entries({ text: '!', object: { content: '!' } })) {
      const folder = edited(`eos-${name}`, () => undefined)
      writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: token }))
      assert.equal((await loadTokenizer(folder)).eos, 1)
    }
  })

  it('is refused when config.json names an id that is no token', async () => {
    const folder = edited('eos-wrong', () => undefined)
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ eos_token_id: 50256 }))
    await assert.rejects(loadTokenizer(folder), { code: 'TOKENIZER_NO_EOS', message: /50256/ })
  })

  it('is refused when there is none', async () => {
    const folder = edited('eos-none', (spec) => {
      spec.added_tokens = []
      delete spec.model.vocab['<|endoftext|>']
    })
    await assert.rejects(loadTokenizer(folder), { code: 'TOKENIZER_NO_EOS' })
  })
})

describe('a folder without a tokenizer', () => {
  const cases: [string, string, string][] = [
    ['nothing', '', 'FILE_MISSING'],
    ['cut short', '{"model":', 'FILE_NOT_JSON'],
    ['a list', '[]', 'TOKENIZER_INVALID'],
    ['no vocabulary', '{"model":{}}', 'TOKENIZER_INVALID'],
    ['an id that is no number', '{"model":{"vocab":{"a":"0"}}}', 'TOKENIZER_INVALID'],
    [
      'an unknown step',
      '{"model":{"type":"BPE","vocab":{"<|endoftext|>":0},"merges":[]},"normalizer":{"type":"Bogus"}}',
      'TOKENIZER_INVALID',
    ],
  ]
  for (const [what, text, code] of cases) {
    it(`is refused: ${what}`, async () => {
      const folder = mkdtempSync(join(temporary, 'bad-'))
      if (text) writeFileSync(join(folder, 'tokenizer.json'), text)
      await assert.rejects(loadTokenizer(folder), { name: 'Failure', code })
    })
  }
})

it('the tokenizer loads no inference engine', async () => {
  await loadTokenizer(join(fixtures, 'byte-level'))
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
  assert.deepEqual(
    sharedObjects.filter((file) => /onnxruntime|tfjs|sharp/.test(file)),
    [],
  )
})

/** A copy of the byte-level tokenizer with a change. */
function edited(name: string, change: (spec: Spec) => void): string {
  const folder = mkdtempSync(join(temporary, `${name}-`))
  const spec = JSON.parse(readFileSync(join(fixtures, 'byte-level/tokenizer.json'), 'utf8')) as Spec
  change(spec)
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(spec))
  return folder
}
