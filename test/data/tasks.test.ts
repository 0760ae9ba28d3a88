import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readItems } from '../../lib/data/tasks.ts'

const temporary = mkdtempSync(join(tmpdir(), 'tasks-'))
const file = join(temporary, 'items.jsonl')
after(() => rmSync(temporary, { recursive: true }))

const good = { ctx: 'A man  [header] is', endings: ['a', 'b ', ' c', 'd'], label: 2 }

describe('reading items', () => {
  it('keeps the context and the endings verbatim', () => {
    const items = read(`${JSON.stringify({ ...good, ind: 7, activity_label: 'Running' })}\n`)
    assert.ok(items.ok)
    assert.deepEqual(items.value, [
      { index: 0, activity: 'Running', context: good.ctx, endings: good.endings, label: 2 },
    ])
  })

  it('numbers them from 0, takes a label that is text, blank lines and Windows line ends', () => {
    const items = read(`${JSON.stringify(good)}\r\n\r\n${JSON.stringify({ ...good, label: '3' })}\r\n`)
    assert.ok(items.ok)
    assert.deepEqual(
      items.value.map(({ index, label }) => [index, label]),
      [
        [0, 2],
        [1, 3],
      ],
    )
  })

  it('refuses a file without items', () => {
    for (const text of ['', '\n \n']) {
      const items = read(text)
      assert.ok(!items.ok)
      assert.equal(items.error.code, 'ITEMS_EMPTY')
    }
  })

  const wrong: [string, unknown, RegExp][] = [
    ['no JSON', '{"ctx":', /not valid JSON/],
    ['a list', [], /not a JSON object/],
    ['no context', { ...good, ctx: undefined }, /"ctx"/],
    ['an empty context', { ...good, ctx: '' }, /"ctx"/],
    ['three endings', { ...good, endings: ['a', 'b', 'c'] }, /"endings" must be four texts .*found 3/],
    ['five endings', { ...good, endings: ['a', 'b', 'c', 'd', 'e'] }, /found 5/],
    ['an empty ending', { ...good, endings: ['a', '', 'c', 'd'] }, /"endings"/],
    ['an ending that is a number', { ...good, endings: ['a', 1, 'c', 'd'] }, /"endings"/],
    ['label 4', { ...good, label: 4 }, /"label" must be 0, 1, 2 or 3, found 4/],
    ['label -1', { ...good, label: -1 }, /found -1/],
    ['label 1.5', { ...good, label: '1.5' }, /found "1.5"/],
    ['label 2x', { ...good, label: '2x' }, /found "2x"/],
    ['no label', { ...good, label: undefined }, /"label"/],
  ]
  for (const [what, line, message] of wrong) {
    it(`refuses ${what}, at its line`, () => {
      const text = typeof line === 'string' ? line : JSON.stringify(line)
      const items = read(`${JSON.stringify(good)}\n\n${text}\n`)
      assert.ok(!items.ok)
      assert.equal(items.error.code, 'ITEMS_INVALID')
      assert.match(items.error.message, message)
      assert.match(items.error.message, /line 3: /)
      assert.deepEqual(items.error.place, { file, line: 3, column: 1, text })
    })
  }

  it('names several wrong lines at once, and counts the rest', () => {
    const items = read('x\n'.repeat(8))
    assert.ok(!items.ok)
    assert.match(items.error.message, /line 1: .*line 5: .*and 3 more/)
  })

  it('refuses text that is not UTF-8, and says where', () => {
    writeFileSync(file, Buffer.from([0x7b, 0x22, 0xc3, 0x28]))
    const items = readItems(file)
    assert.ok(!items.ok)
    assert.equal(items.error.code, 'FILE_NOT_UTF8')
    assert.match(items.error.message, /offset 2/)
  })
})

function read(text: string) {
  writeFileSync(file, text)
  return readItems(file)
}
