import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readCorpus, splitDocuments, writeCorpus } from '../../lib/data/corpus.ts'

const temporary = mkdtempSync(join(tmpdir(), 'corpus-'))
after(() => rmSync(temporary, { recursive: true }))

describe('documents of a text', () => {
  const raw = ' \n = First = \n \n = = Section = = \n \n x = y \n = k = \n \n = Second ( a = b ) = \n \n Text = \n'

  it('are its lines: blank ones are none, and their ends are not theirs', () => {
    assert.deepEqual(splitDocuments('one\r\n\n two \n  \nthree', 'line'), ['one', ' two ', 'three'])
  })

  it('are its articles: from title to title, not from sections, nor lines of an equation', () => {
    const articles = splitDocuments(raw, 'article')
    assert.deepEqual(
      articles.map((article) => /= (\w+) /.exec(article)?.[1]),
      ['First', 'Second'],
    )
  })

  it('are its articles where blank lines were dropped, and with Windows line ends', () => {
    assert.equal(splitDocuments(' = First = \n Text .\n = = Section = = \n = Second = \n', 'article').length, 2)
    assert.equal(splitDocuments(raw.replaceAll('\n', '\r\n'), 'article').length, 2)
  })

  it('as articles give the text again, joined', () => {
    for (const text of [raw, raw.trimStart(), `Before.\n${raw}`, 'no title', ' = Title = ']) {
      assert.equal(splitDocuments(text, 'article').join(''), text)
    }
    assert.equal(splitDocuments(`Before.\n${raw}`, 'article').length, 3)
  })

  it('are the whole text, or none', () => {
    assert.deepEqual(splitDocuments('a\n\nb\n', 'whole'), ['a\n\nb\n'])
    for (const kind of ['line', 'article', 'whole'] as const) assert.deepEqual(splitDocuments(' \n\n', kind), [])
  })
})

describe('a corpus folder', () => {
  const corpus = { documents: 'line', splits: { train: 'a\nb\n', validation: 'naïve\n', test: 'c\r\n' } } as const

  it('gives back what was written', () => {
    const folder = join(temporary, 'corpus')
    writeCorpus(folder, corpus)
    assert.deepEqual(readCorpus(folder), { ok: true, value: corpus })
    assert.deepEqual(readdirSync(folder).sort(), ['corpus.json', 'test.txt', 'train.txt', 'validation.txt'])
  })

  const wrong: [string, string, string | Uint8Array, string, RegExp][] = [
    ['an empty split', 'validation.txt', ' \n', 'CORPUS_EMPTY', /validation split of the corpus is empty/],
    ['text that is not UTF-8', 'train.txt', Buffer.from('caf\xe9 x', 'latin1'), 'FILE_NOT_UTF8', /offset 3/],
    [
      'an unknown kind of document',
      'corpus.json',
      '{"format":"corpus","documents":"page"}',
      'CORPUS_INVALID',
      /line, article, whole/,
    ],
    ['another format', 'corpus.json', '{"documents":"line"}', 'CORPUS_INVALID', /corpus\.json/],
    ['a description that is no JSON', 'corpus.json', '{', 'FILE_NOT_JSON', /corpus\.json/],
  ]
  for (const [what, name, content, code, message] of wrong) {
    it(`is refused for ${what}`, () => {
      const folder = mkdtempSync(join(temporary, 'wrong-'))
      writeCorpus(folder, corpus)
      writeFileSync(join(folder, name), content)
      const read = readCorpus(folder)
      assert.ok(!read.ok)
      assert.equal(read.error.code, code)
      assert.match(read.error.message, message)
    })
  }

  it('is refused when a split is not there', () => {
    const folder = join(temporary, 'missing')
    mkdirSync(folder)
    writeFileSync(join(folder, 'corpus.json'), '{"format":"corpus","documents":"line"}')
    const read = readCorpus(folder)
    assert.ok(!read.ok)
    assert.equal(read.error.code, 'FILE_MISSING')
  })
})
