import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Convention, ItemFormat } from '../../lib/data/task-forms.ts'
import { readItems, readLastWords } from '../../lib/data/tasks.ts'

const temporary = mkdtempSync(join(tmpdir(), 'originals-'))
const file = join(temporary, 'items.jsonl')
after(() => rmSync(temporary, { recursive: true }))

const texts = ['a stone', 'a feather', 'a nail']
const book = {
  id: '7-980',
  question_stem: 'What floats in the air ',
  choices: { text: texts, label: ['A', 'B', 'C'] },
  answerKey: 'B',
}
const arc = {
  id: 'MCAS_1',
  question: 'Question: of what is it made?',
  choices: { text: texts, label: ['1', '2', '3'] },
  answerKey: '3',
}
const ofAuthors = {
  id: 'MCAS_2',
  question: { stem: 'Which is heavy?', choices: texts.map((text, n) => ({ text, label: 'ABC'[n] })) },
  answerKey: 'A',
}
const piqa = { goal: 'How do I cut  bread?\n', sol1: 'With a knife.', sol2: 'With a spoon.', label: 0 }
const copa = {
  premise: ' The boy 🎈 slept.\n',
  choice1: 'He was tired.',
  choice2: 'İt rained on Bea.',
  question: 'cause',
  label: 1,
  idx: 4,
}
const winogrande = {
  sentence: 'Ann paid Bea because _ had won the bet_. ',
  option1: 'Ann',
  option2: 'Bea',
  answer: '2',
}

interface Expected {
  readonly context: string
  readonly endings: readonly string[]
  readonly label: number
}

describe('items as they lie on the hub and on their authors’ pages', () => {
  const harness: [string, ItemFormat, object, Expected][] = [
    // question_stem; choices.text; choices.label.index(answerKey.lstrip())
    ['the hub', 'openbookqa', book, { context: 'What floats in the air ', endings: texts, label: 1 }],
    ['a space', 'openbookqa', { ...book, answerKey: ' C' }, { context: book.question_stem, endings: texts, label: 2 }],
    ['the authors', 'openbookqa', ofAuthors, { context: 'Which is heavy?', endings: texts, label: 0 }],
    // Question: {{question}}\nAnswer:
    ['the hub', 'arc', arc, { context: 'Question: Question: of what is it made?\nAnswer:', endings: texts, label: 2 }],
    ['the authors', 'arc', ofAuthors, { context: 'Question: Which is heavy?\nAnswer:', endings: texts, label: 0 }],
    // Question: {{goal}}\nAnswer:
    [
      'the hub',
      'piqa',
      piqa,
      {
        context: 'Question: How do I cut  bread?\n\nAnswer:',
        endings: ['With a knife.', 'With a spoon.'],
        label: 0,
      },
    ],
    // premise.strip()[:-1] + " because"; " " + choice[0].lower() + choice[1:]
    [
      'a cause',
      'copa',
      copa,
      { context: 'The boy 🎈 slept because', endings: [' he was tired.', ' i̇t rained on Bea.'], label: 1 },
    ],
    [
      'an effect, with an emoji in place of a period',
      'copa',
      { ...copa, premise: 'It rained 🎈', question: 'effect', label: '0' },
      { context: 'It rained  therefore', endings: [' he was tired.', ' i̇t rained on Bea.'], label: 0 },
    ],
  ]
  for (const [what, format, line, { context, endings, label }] of harness) {
    it(`are worded as the harness words them: ${format}, ${what}`, () => {
      const options = endings.map((ending) => ({ context, ending }))
      assert.deepEqual(read(line, format, 'harness'), [{ index: 0, options, label }])
    })
  }

  const plain: [ItemFormat, object, string, readonly string[]][] = [
    ['openbookqa', book, 'What floats in the air ', texts],
    ['arc', arc, 'Question: of what is it made?', texts],
    ['arc', ofAuthors, 'Which is heavy?', texts],
    ['piqa', piqa, 'How do I cut  bread?\n', ['With a knife.', 'With a spoon.']],
    ['copa', copa, 'The boy 🎈 slept because', ['he was tired.', 'i̇t rained on Bea.']],
  ]
  for (const [format, line, context, endings] of plain) {
    it(`are verbatim in the plain convention: ${format}, ${JSON.stringify(context)}`, () => {
      const [item] = read(line, format, 'plain')
      assert.deepEqual(
        item!.options,
        endings.map((ending) => ({ context, ending })),
      )
    })
  }

  it('have the first blank filled, and what follows it trimmed: WinoGrande', () => {
    // sentence[:idx] + option; sentence[idx + 1:].strip()
    const contexts = ['Ann paid Bea because Ann', 'Ann paid Bea because Bea']
    const options = contexts.map((context) => ({ context, ending: 'had won the bet_.' }))
    for (const convention of ['plain', 'harness'] as const) {
      assert.deepEqual(read(winogrande, 'winogrande', convention), [{ index: 0, options, label: 1 }])
    }
    assert.equal(read({ ...winogrande, answer: '1' }, 'winogrande', 'plain')[0]!.label, 0)
  })

  it('may stand beside prepared ones', () => {
    writeFileSync(file, `${JSON.stringify(arc)}\n{"query":"Question: Is it so?","choices":["yes","no"],"gold":1}\n`)
    const items = readItems(file, 'arc', 'harness')
    assert.ok(items.ok)
    assert.deepEqual(
      items.value.map(({ options, label }) => [options[0]!.context, label]),
      [
        ['Question: Question: of what is it made?\nAnswer:', 2],
        ['Question: Is it so?\nAnswer:', 1],
      ],
    )
  })

  const wrong: [ItemFormat, object, RegExp][] = [
    [
      'openbookqa',
      { ...book, question_stem: '' },
      /line 1: "question_stem" must be a text that is not empty, found ""/,
    ],
    ['openbookqa', { ...book, answerKey: 'D' }, /line 1: "answerKey" must be one of A, B, C, found "D"/],
    ['openbookqa', { ...book, answerKey: 1 }, /"answerKey" must be one of A, B, C, found 1/],
    ['openbookqa', arc, /line 1: "question" must hold "stem" and "choices", found "Question: of what is it made\?"/],
    [
      'openbookqa',
      piqa,
      /line 1: it has "goal", "sol1", "sol2", "label"\. A line has "query", "choices", "gold"; or "question_stem", "choices", "answerKey"; or "question", "answerKey"\.$/,
    ],
    [
      'arc',
      { ...arc, choices: { text: texts, label: ['1', '2'] } },
      /"choices" must hold two texts or more, none empty, and a label for each, found \{"text":/,
    ],
    ['arc', { ...arc, choices: texts }, /"choices" must hold two texts .*, found 3: \["a stone",/],
    ['arc', { ...arc, choices: { text: ['a', ''], label: ['A', 'B'] } }, /"choices" must hold two texts or more/],
    ['arc', { ...ofAuthors, question: { choices: [] } }, /"stem" must be a text that is not empty, found nothing/],
    ['arc', { ...ofAuthors, question: { stem: 'Q', choices: ['a', null] } }, /"choices" must hold two texts or more/],
    ['arc', { question: 'Q', answerKey: 'A' }, /"question" must hold "stem" and "choices", found "Q"/],
    ['piqa', { ...piqa, sol2: null }, /line 1: "sol2" must be a text that is not empty, found null/],
    ['piqa', { ...piqa, label: -1 }, /line 1: "label" must be a whole number from 0 to 1, found -1/],
    [
      'piqa',
      { goal: 'How?', sol1: 'a', sol2: 'b' },
      /line 1: it has "goal", "sol1", "sol2"\. .*; or "goal", "sol1", "sol2", "label"/,
    ],
    ['copa', { ...copa, question: 'result' }, /line 1: "question" must be "cause" or "effect", found "result"/],
    ['copa', { ...copa, question: 'constructor' }, /"question" must be "cause" or "effect", found "constructor"/],
    ['copa', { ...copa, choice1: '' }, /"choice1" must be a text/],
    ['copa', { ...copa, label: 2 }, /"label" must be a whole number from 0 to 1, found 2/],
    [
      'winogrande',
      { ...winogrande, sentence: 'No blank.' },
      /"sentence" must have a blank, "_", .* found "No blank\."/,
    ],
    ['winogrande', { ...winogrande, sentence: 'It was _ ' }, /"sentence" must have a blank, "_", and go on after it/],
    ['winogrande', { ...winogrande, answer: '' }, /"answer" must be a whole number from 1 to 2, found ""/],
    ['winogrande', { ...winogrande, answer: '0' }, /"answer" must be a whole number from 1 to 2, found "0"/],
    ['winogrande', { ...winogrande, option2: 3 }, /"option2" must be a text that is not empty, found 3/],
  ]
  for (const [format, line, message] of wrong) {
    it(`are refused where a line is not in their form: ${format}, ${message.source.slice(0, 60)}`, () => {
      writeFileSync(file, JSON.stringify(line))
      const items = readItems(file, format, 'harness')
      assert.ok(!items.ok)
      assert.equal(items.error.code, 'ITEMS_INVALID')
      assert.match(items.error.message, message)
    })
  }
})

describe('whole texts of LAMBADA', () => {
  it('end with what follows the last space', () => {
    const lines = ['She saw the sea', '“Go  on,”\n\nsaid Ann  now.', 'a b\n'].map((text) => JSON.stringify({ text }))
    writeFileSync(file, lines.join('\n'))
    // ' '.join(text.split(' ')[:-1]); ' ' + text.split(' ')[-1]
    assert.deepEqual(readLastWords(file), {
      ok: true,
      value: [
        { context: 'She saw the', ending: 'sea' },
        { context: '“Go  on,”\n\nsaid Ann ', ending: 'now.' },
        { context: 'a', ending: 'b\n' },
      ],
    })
  })

  it('are refused without a word at the end, or before it', () => {
    for (const text of ['sea', ' sea', 'She saw the ', '']) {
      writeFileSync(file, JSON.stringify({ text }))
      const read = readLastWords(file)
      assert.ok(!read.ok)
      assert.match(read.error.message, /LAMBADA's form: line 1: "text" must be .*, found ".*"\. A line has /)
    }
  })
})

function read(line: object, format: ItemFormat, convention: Convention) {
  writeFileSync(file, JSON.stringify(line))
  const items = readItems(file, format, convention)
  assert.ok(items.ok)
  return items.value
}
