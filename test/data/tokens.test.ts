import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import type { Tokenizer } from '../../lib/data/tokenizer.ts'
import { encodeSplit, readTokens, splitNames, writeTokens } from '../../lib/data/tokens.ts'
import type { Tokens } from '../../lib/data/tokens.ts'
import { windows } from '../../lib/data/windows.ts'
import { Random } from '../../lib/util/random.ts'

const temporary = mkdtempSync(join(tmpdir(), 'tokens-'))
after(() => rmSync(temporary, { recursive: true }))

const tokenizer = await loadTokenizer(join(import.meta.dirname, '../fixtures/data/words'))
const train = { name: 'train', separator: 'eos' } as const

describe('encoding a split', () => {
  it('ends each document with the end-of-text token, and says where each begins', () => {
    const { ids, documents } = encodeSplit(tokenizer, ['the dog', '', 'a cat .'], train)
    assert.deepEqual([...ids], [2, 3, 1, 5, 7, 8, 1])
    assert.deepEqual([...documents], [0, 3])
  })

  it('or is the text alone, where published perplexities are to be met', () => {
    const { ids, documents } = encodeSplit(tokenizer, ['the dog', 'a cat .'], { ...train, separator: 'none' })
    assert.deepEqual([...ids], [2, 3, 5, 7, 8])
    assert.deepEqual([...documents], [0, 2])
  })

  it('takes a special token that stands in the text for ordinary characters', () => {
    assert.ok(!encodeSplit(tokenizer, ['the <|endoftext|> dog'], { ...train, separator: 'none' }).ids.includes(1))
  })

  it('is 16 bits wide as long as every id fits', () => {
    const sized = (vocabSize: number): Tokenizer => ({ ...tokenizer, vocabSize })
    assert.ok(encodeSplit(sized(65536), ['the dog'], train).ids instanceof Uint16Array)
    assert.ok(encodeSplit(sized(65537), ['the dog'], train).ids instanceof Uint32Array)
  })

  it('refuses an empty corpus by the name of its split', () => {
    for (const documents of [[], [''], ['  ']]) {
      const encode = () => encodeSplit(tokenizer, documents, { name: 'validation', separator: 'eos' })
      assert.throws(encode, { name: 'Failure', code: 'TOKENS_EMPTY', message: /validation split is empty/ })
    }
    assert.throws(() => encodeSplit(tokenizer, ['the'], { ...train, separator: 'none' }), { code: 'TOKENS_EMPTY' })
  })

  it('has a digest of ids and documents', () => {
    const digest = (...documents: string[]) => encodeSplit(tokenizer, documents, { ...train, separator: 'none' }).digest
    assert.equal(digest('the dog', 'a cat'), digest('the dog', 'a cat'))
    assert.notEqual(digest('the dog', 'a cat'), digest('the dog a', 'cat'))
    assert.notEqual(digest('the dog', 'a cat'), digest('the dog', 'cat a'))
  })
})

describe('a tokens folder', () => {
  const folder = join(temporary, 'tokens')
  const split = (...documents: string[]) => encodeSplit(tokenizer, documents, train)
  const tokens: Tokens = {
    vocabSize: tokenizer.vocabSize,
    eos: tokenizer.eos,
    tokenizerDigest: tokenizer.digest,
    splits: { train: split('the dog', 'a cat .'), validation: split('the cat'), test: split('a dog') },
  }
  writeTokens(folder, tokens)

  it('gives back what was written', () => {
    assert.deepEqual(readTokens(folder), { ok: true, value: tokens })
    const files = splitNames.flatMap((name) => [`${name}.bin`, `${name}.documents.bin`])
    assert.deepEqual(readdirSync(folder).sort(), [...files, 'meta.json'].sort())
  })

  it('gives back 32-bit ids', () => {
    const wide = { ...tokenizer, vocabSize: 70_000, encode: () => [69_999, 1] }
    const one = encodeSplit(wide, ['x'], train)
    const other = join(temporary, 'wide')
    writeTokens(other, { ...tokens, vocabSize: 70_000, splits: { train: one, validation: one, test: one } })
    const read = readTokens(other)
    assert.ok(read.ok)
    assert.deepEqual(read.value.splits.train.ids, Uint32Array.of(69_999, 1, 1))
  })

  const damage: [string, (copy: string) => void, string, RegExp][] = [
    [
      'cut short',
      (copy) => truncateSync(join(copy, 'test.bin'), 4),
      'TOKENS_DAMAGED',
      /test\.bin" is damaged: it has 4 bytes, expected 6/,
    ],
    [
      'another id',
      (copy) => writeFileSync(join(copy, 'train.bin'), new Uint8Array(14)),
      'TOKENS_DAMAGED',
      /train\.bin/,
    ],
    [
      'another document start',
      (copy) => writeFileSync(join(copy, 'train.documents.bin'), new Uint8Array(8)),
      'TOKENS_DAMAGED',
      /train/,
    ],
    ['a lost file', (copy) => rmSync(join(copy, 'validation.bin')), 'FILE_MISSING', /validation\.bin/],
    ['a lost description', (copy) => rmSync(join(copy, 'meta.json')), 'FILE_MISSING', /meta\.json/],
    ['another format', (copy) => edit(copy, { format: 'corpus' }), 'TOKENS_INVALID', /"format"/],
    ['another version', (copy) => edit(copy, { version: 2 }), 'TOKENS_INVALID', /version is 2, expected 1/],
    ['an end of text that is no token', (copy) => edit(copy, { eos: 13 }), 'TOKENS_INVALID', /"eos"/],
    ['no test split', (copy) => edit(copy, { splits: {} }), 'TOKENS_INVALID', /split "train"/],
  ]
  for (const [what, change, code, message] of damage) {
    it(`is refused for ${what}`, () => {
      const copy = mkdtempSync(join(temporary, 'damaged-'))
      cpSync(folder, copy, { recursive: true })
      change(copy)
      const read = readTokens(copy)
      assert.ok(!read.ok)
      assert.equal(read.error.code, code)
      assert.match(read.error.message, message)
    })
  }

  function edit(copy: string, change: object): void {
    const file = join(copy, 'meta.json')
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }))
  }
})

describe('windows', () => {
  it('cut a stream into rows that predict each next token', () => {
    assert.deepEqual(windows(8, { context: 3, stride: 3 }), [
      { start: 0, length: 3, fresh: 0 },
      { start: 3, length: 3, fresh: 0 },
      { start: 6, length: 1, fresh: 0 },
    ])
  })

  it('overlap when the stride is shorter, and say which targets are new', () => {
    assert.deepEqual(windows(7, { context: 4, stride: 2 }), [
      { start: 0, length: 4, fresh: 0 },
      { start: 2, length: 4, fresh: 2 },
    ])
  })

  it('have every token but the first for a fresh target exactly once, for every length, context and stride', () => {
    for (let length = 0; length < 24; length++) {
      for (let context = 1; context < 9; context++) {
        for (let stride = 1; stride <= context; stride++) {
          const rows = windows(length, { context, stride })
          const positions = rows.flatMap(({ start, length: size, fresh }) =>
            Array.from({ length: size - fresh }, (_, at) => start + fresh + at),
          )
          assert.deepEqual(
            positions,
            Array.from({ length: Math.max(0, length - 1) }, (_, at) => at),
          )
          assert.ok(rows.every((row) => row.length > 0 && row.length <= context && row.start + row.length < length))
        }
      }
    }
  })

  it('hold whole documents, as many as fit; one that is longer is cut, and begins a row of its own', () => {
    const rows = windows(17, { context: 5, stride: 5 }, Uint32Array.of(0, 2, 4, 7, 14))
    assert.deepEqual(rows, [
      { start: 0, length: 4, fresh: 0 },
      { start: 4, length: 3, fresh: 0 },
      { start: 7, length: 5, fresh: 0 },
      { start: 12, length: 4, fresh: 0 },
    ])
  })

  it('of whole documents have every token but the first for a target exactly once, too', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed)
      const lengths = Array.from({ length: 1 + random.below(8) }, () => 1 + random.below(9))
      const starts = Uint32Array.from(lengths, (_, n) => lengths.slice(0, n).reduce((sum, one) => sum + one, 0))
      const length = lengths.reduce((sum, one) => sum + one, 0)
      const context = 1 + random.below(8)
      const rows = windows(length, { context, stride: context }, starts)
      const positions = rows.flatMap(({ start, length: size }) => Array.from({ length: size }, (_, at) => start + at))
      assert.deepEqual(
        positions,
        Array.from({ length: length - 1 }, (_, at) => at),
      )
      assert.ok(rows.every((row) => row.length > 0 && row.length <= context))
      const cut = rows.filter(({ start }) => !starts.includes(start))
      for (const { start } of cut) {
        const document = lengths[starts.findLastIndex((begin) => begin < start)]!
        assert.ok(document > context || rows.some((row) => row.start < start && row.length === context))
      }
    }
  })

  it('refuse a packing that would skip tokens or never end', () => {
    for (const [context, stride] of [
      [4, 5],
      [4, 0],
      [0, 0],
      [4, 1.5],
      [NaN, 1],
    ] as const) {
      assert.throws(() => windows(9, { context, stride }), { code: 'PACKING_INVALID' })
    }
  })
})
