import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync, copyFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readCorpusText, writeItems } from '../../lib/data/formats.ts'
import { readItems } from '../../lib/data/tasks.ts'

const temporary = mkdtempSync(join(tmpdir(), 'formats-'))
after(() => rmSync(temporary, { recursive: true }))
const fixture = (name: string): string => join(import.meta.dirname, '..', 'fixtures', 'data', 'parquet', name)
function written(name: string, text: string): string {
  writeFileSync(join(temporary, name), text)
  return join(temporary, name)
}

/** What the rows of lines.parquet stand for. */
const lines =
  '\n = The Old Bridge = \n\n The bridge of Łódź was 12 m long – “old” , they said . \n It fell in 1902 . \n\n'

describe('the text of a split', () => {
  it('is a text file as it is', async () => {
    assert.equal(await readCorpusText(written('a.txt', ' \n one\r\ntwo')), ' \n one\r\ntwo')
  })

  it('is the lines of a Parquet file, over its row groups', async () => {
    assert.equal(await readCorpusText(fixture('lines.parquet')), lines)
  })

  it('is the lines of a JSON lines file', async () => {
    const rows = ['', ' = The Old Bridge = \n', 'two\nlines', 'Łódź'].map((text, id) => JSON.stringify({ id, text }))
    assert.equal(
      await readCorpusText(written('a.jsonl', `${rows.join('\r\n')}\n\n`)),
      '\n = The Old Bridge = \ntwo\nlines\nŁódź\n',
    )
  })

  it('is a line for each item, the question and its right answer', async () => {
    const text = await readCorpusText(fixture('openbookqa.parquet'), 'openbookqa')
    const items = readItems(await itemLines('openbookqa.parquet'), 'openbookqa', 'plain')
    assert.ok(items.ok)
    const right = items.value.map(({ options, label }) => `${options[label]!.context} ${options[label]!.ending}\n`)
    assert.equal(text, right.join(''))
    assert.equal(text.split('\n').length, items.value.length + 1)
    const hellaswag = await readCorpusText(fixture('items.parquet'), 'hellaswag')
    assert.match(hellaswag, /^\S.*\S\n\S.*\S\n$/)
    const lines = { query: 'two\nlines  in', choices: ['a ', 'b'], gold: 0 }
    const own = written('e.jsonl', JSON.stringify(lines))
    assert.equal(await readCorpusText(own, 'arc'), 'two lines in a\n')
  })

  it('is refused where rows are items of another set', async () => {
    const message = /Row 1 of ".*items.parquet" is not in OpenBookQA's form: it has "ind"/
    await assert.rejects(readCorpusText(fixture('items.parquet'), 'openbookqa'), { code: 'ROW_INVALID', message })
  })

  const wrong: Readonly<Record<string, [() => string, string, RegExp]>> = {
    'without a column "text"': [
      () => fixture('items.parquet'),
      'COLUMN_MISSING',
      /no column "text"; it has "ind", "activity_label", "ctx_a", "ctx_b", "ctx", "endings", "source_id"/,
    ],
    'with a row that has none': [() => fixture('null.parquet'), 'ROW_INVALID', /Row 2 of .*found null/],
    'with a key of another name': [() => written('b.jsonl', '{"body":"x"}'), 'ROW_INVALID', /Row 1 .*found keys body/],
    'with a line that is no JSON': [() => written('c.jsonl', '{"text":"a"}\n{"te'), 'ROW_INVALID', /Line 2 of/],
    'with a compression that is not known': [() => fixture('zstd.parquet'), 'PARQUET_INVALID', /ZSTD.*Snappy/],
    'cut short': [() => cut(fixture('lines.parquet')), 'PARQUET_INVALID', /cannot be read as Parquet/],
    'of another kind': [() => written('d.parquet', 'x'), 'PARQUET_INVALID', /cannot be read as Parquet/],
  }
  for (const [what, [make, code, message]] of Object.entries(wrong)) {
    it(`is refused: ${what}`, async () => {
      await assert.rejects(readCorpusText(make()), { code, message })
    })
  }
})

/** Rows of a Parquet file as JSON lines. */
async function itemLines(name: string): Promise<string> {
  const to = join(temporary, `${name}.jsonl`)
  await writeItems(fixture(name), to)
  return to
}

describe('an items file', () => {
  it('of Parquet becomes JSON lines, with all columns', async () => {
    const file = join(temporary, 'items')
    await writeItems(fixture('items.parquet'), file)
    const [first] = readFileSync(file, 'utf8').split('\n')
    assert.deepEqual(JSON.parse(first!), {
      ...{ ind: 4, activity_label: 'Bridges', label: '2' },
      ...{ ctx_a: 'A man walks onto a bridge.', ctx_b: 'he', ctx: 'A man walks onto a bridge. he' },
      endings: [
        'sees bridges “slowly”.',
        'leaves bridges “slowly”.',
        'crosses bridges “slowly”.',
        'drinks bridges “slowly”.',
      ],
      ...{ source_id: 'own~4', split: 'val', split_type: 'indomain' },
    })
    const items = readItems(file, 'hellaswag', 'plain')
    assert.ok(items.ok)
    assert.deepEqual(
      items.value.map(({ options, label, activity }) => [options[0]!.context, label, activity]),
      [
        ['A man walks onto a bridge. he', 2, 'Bridges'],
        ['Water boils in a kettle. the woman', 0, 'Tea'],
      ],
    )
  })

  it('of Parquet keeps lists in structs, and numbers of 64 bits', async () => {
    const file = join(temporary, 'originals')
    await writeItems(fixture('openbookqa.parquet'), file)
    const choices = { text: ['The “old” mill', 'Sand', 'A kite', 'Łódź'], label: ['A', 'B', 'C', 'D'] }
    const [first] = readFileSync(file, 'utf8').split('\n')
    const question = { id: 'own-1', question_stem: 'What grinds wheat?', choices, answerKey: 'A' }
    assert.deepEqual(JSON.parse(first!), question)
    const items = readItems(file, 'openbookqa', 'harness')
    assert.ok(items.ok)
    assert.deepEqual(
      items.value.map(({ options, label }) => [options[3], label]),
      [0, 3].map((label) => [{ context: 'What grinds wheat?', ending: 'Łódź' }, label]),
    )
    await writeItems(fixture('copa.parquet'), file)
    const copa = readItems(file, 'copa', 'harness')
    assert.ok(copa.ok)
    const options = [' the wind fell.', ' it rained.'].map((ending) => ({
      context: 'The mill stopped because',
      ending,
    }))
    assert.deepEqual(copa.value, [{ index: 0, options, label: 0 }])
  })

  it('of text stays as it is', async () => {
    await writeItems(written('items.jsonl', '{"ctx":1}'), join(temporary, 'same'))
    assert.equal(readFileSync(join(temporary, 'same'), 'utf8'), '{"ctx":1}')
  })
})

function cut(file: string): string {
  const copy = join(temporary, 'cut.parquet')
  copyFileSync(file, copy)
  truncateSync(copy, 100)
  return copy
}
