import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Convention, ItemFormat } from '../../lib/data/task-forms.ts'
import { readItems, readLastWords } from '../../lib/data/tasks.ts'

const temporary = mkdtempSync(join(tmpdir(), 'tasks-'))
const file = join(temporary, 'items.jsonl')
after(() => rmSync(temporary, { recursive: true }))

const good = { ctx: 'A man  [header] is', endings: ['a', 'b ', ' c', 'd'], label: 2 }

describe('reading items', () => {
  it('keeps the context and the endings verbatim', () => {
    const items = read(`${JSON.stringify({ ...good, ind: 7, activity_label: 'Running' })}\n`)
    assert.ok(items.ok)
    assert.deepEqual(items.value, [
      { index: 0, activity: 'Running', options: optionsOf(good.ctx, good.endings), label: 2 },
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
    ['no context', { ...good, ctx: undefined }, /it has "endings", "label"\. A line has "ctx", "endings", "label"\.$/],
    ['an empty context', { ...good, ctx: '' }, /"ctx" must be a text that is not empty, found ""/],
    ['three endings', { ...good, endings: ['a', 'b', 'c'] }, /"endings" must be four texts .*found 3/],
    ['five endings', { ...good, endings: ['a', 'b', 'c', 'd', 'e'] }, /found 5/],
    ['an empty ending', { ...good, endings: ['a', '', 'c', 'd'] }, /"endings" must be .*found 4: \["a","","c","d"\]/],
    ['an ending that is a number', { ...good, endings: ['a', 1, 'c', 'd'] }, /"endings" must be .*found 4: \["a",1,/],
    ['label 4', { ...good, label: 4 }, /"label" must be a whole number from 0 to 3, found 4/],
    ['label -1', { ...good, label: -1 }, /found -1/],
    ['label 1.5', { ...good, label: '1.5' }, /found "1.5"/],
    ['label 2x', { ...good, label: '2x' }, /found "2x"/],
    ['no label', { ...good, label: undefined }, /it has "ctx", "endings"\./],
    ['one part of the context alone', { ...good, ctx_a: 'A man' }, /"ctx_a" and "ctx_b" must both be texts/],
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
    const items = readItems(file, 'hellaswag', 'plain')
    assert.ok(!items.ok)
    assert.equal(items.error.code, 'FILE_NOT_UTF8')
    assert.match(items.error.message, /offset 2/)
  })
})

describe("HellaSwag's items in the harness's words", () => {
  const worded = (item: object) => {
    const items = read(JSON.stringify({ ...good, activity_label: 'Roofing', ...item }), 'hellaswag', 'harness')
    assert.ok(items.ok)
    return items.value[0]!.options
  }

  const contexts: [string, object, string][] = [
    [
      'begin with the activity; the second part begins with a capital and goes on in small letters',
      { ctx_a: 'A man is on a roof.', ctx_b: 'he and the NBA', ctx: 'A man is on a roof. he and the NBA' },
      'Roofing: A man is on a roof. He and the nba',
    ],
    [
      'take a part that is a letter, or begins with what has no capital',
      { ctx_a: 'A roof.', ctx_b: '3 Men', ctx: 'A roof. 3 Men' },
      'Roofing: A roof. 3 men',
    ],
    [
      'lose marks, and are trimmed before they do',
      { ctx_a: '[header] How to roof [title] Buy tin. [step] Go to a shop', ctx_b: '', ctx: 'unused' },
      'Roofing: How to roof. Buy tin. Go to a shop',
    ],
    ['lose only pairs of spaces', { ctx: 'A    roof.   ' }, 'Roofing: A  roof.'],
    [
      'keep a bracket that closes on another line',
      { ctx: 'A [roof\nand a] wall [x]' },
      'Roofing: A [roof\nand a] wall ',
    ],
    ['lose up to the first closing bracket', { ctx: 'A [very [old] roof] leaks [' }, 'Roofing: A roof] leaks ['],
    ['without parts are taken as they stand', { ctx: 'A roof. he' }, 'Roofing: A roof. he'],
  ]
  for (const [what, item, context] of contexts) {
    it(`have contexts that ${what}`, () => {
      assert.deepEqual([...new Set(worded(item).map((option) => option.context))], [context])
    })
  }

  it('have endings without marks', () => {
    const endings = [' falls [laughs] off. ', 'Nail it. [title] Rest. [step] Sleep.', '[substeps] Sing', 'climbs  down']
    assert.deepEqual(
      worded({ endings }).map(({ ending }) => ending),
      ['falls off.', 'Nail it.. Rest. Sleep.', ' Sing', 'climbs down'],
    )
  })

  it('need an activity', () => {
    const items = read(JSON.stringify(good), 'hellaswag', 'harness')
    assert.ok(!items.ok)
    assert.match(items.error.message, /"activity_label" must be a text: the harness writes it before the context/)
  })
})

describe('items of other data sets', () => {
  const question = { query: 'Question: Is it so?', choices: ['yes', 'no', 'perhaps'], gold: 2 }
  const plain: [ItemFormat, object, string, string[]][] = [
    ['openbookqa', { ...question, query: 'It is' }, 'It is', question.choices],
    ['arc', question, question.query, question.choices],
    ['piqa', { ...question, query: 'Question: How?\n' }, 'Question: How?\n', question.choices],
    ['copa', { ...question, query: 'It fell, because' }, 'It fell, because', question.choices],
  ]
  const harness: typeof plain = [
    ['openbookqa', { ...question, query: 'It is' }, 'It is', question.choices],
    ['arc', question, 'Question: Is it so?\nAnswer:', question.choices],
    ['arc', { ...question, query: 'Is it so?' }, 'Question: Is it so?\nAnswer:', question.choices],
    ['piqa', { ...question, query: 'Question: How?\n' }, 'Question: How?\nAnswer:', question.choices],
    ['copa', { ...question, query: 'It fell, because' }, 'It fell, because', [' yes', ' no', ' perhaps']],
  ]
  for (const [convention, cases] of Object.entries({ plain, harness }) as [Convention, typeof plain][]) {
    for (const [format, line, context, endings] of cases) {
      it(`are worded as the ${convention} convention has it: ${format}, ${JSON.stringify(context)}`, () => {
        const items = read(JSON.stringify(line), format, convention)
        assert.ok(items.ok)
        assert.deepEqual(items.value, [{ index: 0, options: optionsOf(context, endings), label: 2 }])
      })
    }
  }

  it('have one ending after each filling of the blank: WinoGrande', () => {
    const line = { context_options: ['So Ann', 'So Bea'], continuation: 'won.', gold: 1 }
    const items = read(JSON.stringify(line), 'winogrande', 'harness')
    assert.ok(items.ok)
    const options = line.context_options.map((context) => ({ context, ending: 'won.' }))
    assert.deepEqual(items.value, [{ index: 0, options, label: 1 }])
  })

  const wrong: [ItemFormat, object, RegExp][] = [
    [
      'arc',
      { ...question, query: '' },
      /is not in ARC's form: line 1: "query" must be a text that is not empty, found ""/,
    ],
    [
      'piqa',
      { ...question, choices: ['one'] },
      /is not in PIQA's form: .*"choices" must be two texts or more, .*found 1/,
    ],
    ['openbookqa', { ...question, choices: ['one', ''] }, /"choices" must be two texts or more, none empty/],
    ['copa', { ...question, gold: 3 }, /"gold" must be a whole number from 0 to 2, found 3/],
    [
      'winogrande',
      question,
      /line 1: it has "query", "choices", "gold"\. A line has "context_options", "continuation"/,
    ],
    [
      'winogrande',
      { context_options: ['a'], continuation: 'c', gold: 0 },
      /"context_options" must be two texts or more, none empty, found 1: \["a"\]/,
    ],
    [
      'winogrande',
      { context_options: ['a', 'b'], continuation: '', gold: 1 },
      /"continuation" must be a text that is not empty, found ""/,
    ],
    ['winogrande', { context_options: ['a', 'b'], continuation: 'c', gold: 2 }, /"gold" .* from 0 to 1, found 2/],
  ]
  for (const [format, line, message] of wrong) {
    it(`are refused where a line is not in their form: ${format}, ${message.source}`, () => {
      const items = read(JSON.stringify(line), format, 'plain')
      assert.ok(!items.ok)
      assert.equal(items.error.code, 'ITEMS_INVALID')
      assert.match(items.error.message, message)
    })
  }
})

describe('last words', () => {
  it('are read with the text before them', () => {
    writeFileSync(file, '{"context":"She saw the","continuation":"sea"}\n')
    assert.deepEqual(readLastWords(file), { ok: true, value: [{ context: 'She saw the', ending: 'sea' }] })
  })

  it('are refused without a text, or without a word', () => {
    for (const [line, what] of [
      [
        { continuation: 'sea' },
        /LAMBADA's form: line 1: it has "continuation"\. A line has "context", "continuation"; /,
      ],
      [
        { context: 'She saw the', continuation: '' },
        /line 1: "continuation" must be a text that is not empty, found ""/,
      ],
    ] as const) {
      writeFileSync(file, JSON.stringify(line))
      const texts = readLastWords(file)
      assert.ok(!texts.ok)
      assert.match(texts.error.message, what)
    }
  })
})

function read(text: string, format: ItemFormat = 'hellaswag', convention: Convention = 'plain') {
  writeFileSync(file, text)
  return readItems(file, format, convention)
}

function optionsOf(context: string, endings: readonly string[]) {
  return endings.map((ending) => ({ context, ending }))
}
