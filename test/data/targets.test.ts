import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createTargets, openTargets } from '../../lib/data/targets.ts'
import { checkLesson, checkTargets } from '../../lib/data/targets/check.ts'
import type { TargetsExpected } from '../../lib/data/targets/check.ts'
import { layoutOf } from '../../lib/data/targets/form.ts'
import type { Form } from '../../lib/data/targets/form.ts'
import type { TargetsHeader } from '../../lib/data/targets/header.ts'
import { recordSize } from '../../lib/data/targets/records.ts'
import type { Columns } from '../../lib/data/targets/records.ts'
import { toHalf } from '../../lib/util/half.ts'

const temporary = mkdtempSync(join(tmpdir(), 'targets-'))
after(() => rmSync(temporary, { recursive: true }))

const hidden: Form = { kind: 'hidden', dtype: 'F16', width: 3 }
const scaled: Form = { ...hidden, dtype: 'I8' }
const sampled: Form = { kind: 'sampled', vocabulary: 70_000, samples: 2, temperature: 2, seed: 7 }
const topk: Form = { kind: 'topk', vocabulary: 65_536, k: 2, temperatures: [1, 2.5] }

const header: TargetsHeader = {
  model: 'm'.repeat(64),
  tokenizer: 't'.repeat(64),
  stream: 's'.repeat(64),
  packing: { context: 4, stride: 4 },
  attend: 'row',
  count: 5,
  form: hidden,
}
const values = Float32Array.from({ length: 15 }, (_, index) => index / 8 - 1)
const columns: Columns = { hidden: values }

describe('a targets file', () => {
  it('gives back its header and any of its records', () => {
    const targets = opened(written('whole'))
    assert.deepEqual(targets.header, header)
    assert.deepEqual(targets.columns(0, 5), columns)
    assert.deepEqual(targets.columns(1, 2), { hidden: values.slice(3, 9) })
    assert.deepEqual(targets.columns(5, 0), { hidden: new Float32Array(0) })
    assert.throws(() => targets.columns(4, 2), /Internal error/)
    targets.close()
  })

  it('is laid out as documented: magic, length, JSON, records from a multiple of 64 on', () => {
    const bytes = readFileSync(written('layout'))
    assert.equal(bytes.toString('latin1', 0, 8), 'TARGETS2')
    const begin = 12 + bytes.readUInt32LE(8)
    assert.equal(begin % 64, 0)
    const { attend, ...rest } = header // the row, which is not said
    assert.equal(attend, 'row')
    const described = { ...rest, columns: [{ name: 'hidden', dtype: 'F16', width: 3 }] }
    assert.deepEqual(JSON.parse(bytes.toString('utf8', 12, begin)), described)
    assert.equal(bytes.length, begin + 5 * 3 * 2)
    assert.equal(bytes.readUInt16LE(begin), 0xbc00) // −1
  })

  it('says where each token saw its document alone', () => {
    const file = written('documents', { ...header, attend: 'document' })
    assert.match(readFileSync(file, 'latin1'), /"attend":"document"/)
    const targets = opened(file)
    assert.equal(targets.header.attend, 'document')
    targets.close()
  })

  const others: [string, Form, Columns, Columns][] = [
    [
      'int8 of a scale a row, half a step off at most',
      scaled,
      { hidden: Float32Array.of(127, -50.4, 0.4, 0, 0, 0, -254, 127, 1.1) },
      { hidden: Float32Array.of(127, -50, 0, 0, 0, 0, -254, 128, 2) },
    ],
    [
      'draws of a large vocabulary',
      sampled,
      { ids: Int32Array.of(0, 69_999, 3, 3, 65_536, 1), entropy: Float32Array.of(1.5, 0, 9) },
      { ids: Int32Array.of(0, 69_999, 3, 3, 65_536, 1), entropy: Float32Array.of(1.5, 0, 9) },
    ],
    [
      'the most probable tokens of a small one',
      topk,
      {
        ids: Int32Array.of(65_535, 0, 1, 2, 3, 4),
        logits: Float32Array.of(0, -1.5, 0, -65504, 0, 0),
        tails: Float32Array.of(0.1, 0.2, 0, 1e-30, 0.5, 0.9),
      },
      {
        ids: Int32Array.of(65_535, 0, 1, 2, 3, 4),
        logits: Float32Array.of(0, -1.5, 0, -65504, 0, 0),
        tails: Float32Array.of(0.1, 0.2, 0, 1e-30, 0.5, 0.9),
      },
    ],
  ]
  for (const [what, form, given, expected] of others) {
    it(`holds ${what}`, () => {
      const targets = opened(writtenAs(form, given, 3))
      assert.deepEqual(targets.header.form, form)
      assert.deepEqual({ ...targets.columns(0, 3) }, expected)
      const last = Object.entries(expected).map(([name, all]) => [name, all.slice((2 * all.length) / 3)])
      assert.deepEqual(targets.columns(2, 1), Object.fromEntries(last))
      targets.close()
    })
  }

  it('is there whole or not at all', () => {
    const folder = mkdtempSync(join(temporary, 'atomic-'))
    const writer = createTargets(join(folder, 'targets'), header)
    writer.append({ hidden: values.subarray(0, 6) }, 2)
    assert.ok(!readdirSync(folder).includes('targets'))
    assert.throws(() => writer.commit(), /Internal error: targets committed after 2 of 5/)
    writer.discard()
    assert.deepEqual(readdirSync(folder), [])
  })

  it('takes whole records alone, and no more than it was made for', () => {
    const writer = createTargets(join(temporary, 'rows'), header)
    assert.throws(() => writer.append({ hidden: values.subarray(0, 4) }, 1), /Internal error/)
    writer.append(columns, 5)
    assert.throws(() => writer.append({ hidden: values.subarray(0, 3) }, 1), /Internal error/)
    writer.discard()
  })

  it('takes halves as they are, and refuses those that are infinite or no number', () => {
    const form = { ...hidden, dtype: 'F16' } as const
    const file = (name: string, given: Float32Array | Uint16Array): Buffer => {
      const writer = createTargets(join(temporary, name), { ...header, form })
      writer.append({ hidden: given }, given.length / form.width)
      writer.commit()
      return readFileSync(join(temporary, name))
    }
    assert.deepEqual(file('halves', toHalf(values)), file('floats', values))
    for (const [bits, said] of [
      [0x7c00, 'Infinity'],
      [0xfc00, '-Infinity'],
      [0x7c01, 'NaN'],
    ] as const) {
      const bad = toHalf(values)
      bad[4] = bits
      const message = new RegExp(`hidden state at position 1 holds ${said}, which half precision`)
      assert.throws(() => file('bad', bad), { code: 'TARGETS_RANGE', message })
    }
  })

  for (const [dtype, bad] of [
    ['F16', NaN],
    ['F16', Infinity],
    ['F16', -65520],
    ['I8', NaN],
    ['I8', -Infinity],
  ] as const) {
    it(`refuses a hidden state that ${dtype} cannot hold, and says where: ${bad}`, () => {
      const writer = createTargets(join(temporary, 'range'), { ...header, form: { ...hidden, dtype } })
      writer.append({ hidden: values.subarray(0, 6) }, 2)
      const rest = values.slice(6)
      rest[4] = bad
      const message = new RegExp(`hidden state at position 3 holds ${bad}`)
      assert.throws(() => writer.append({ hidden: rest }, 3), { code: 'TARGETS_RANGE', message })
      writer.discard()
    })
  }
})

describe('bytes a token, of a vocabulary of 50,257 and a teacher 2,560 wide', () => {
  const cases: [string, Form, number][] = [
    ['hidden, F16', { kind: 'hidden', dtype: 'F16', width: 2560 }, 5120],
    ['hidden, I8', { kind: 'hidden', dtype: 'I8', width: 2560 }, 2564],
    ['12 draws', { kind: 'sampled', vocabulary: 50_257, samples: 12, temperature: 2, seed: 1 }, 28],
    ['the 64 likeliest', { kind: 'topk', vocabulary: 50_257, k: 64, temperatures: [1, 2, 4] }, 268],
  ]
  for (const [what, form, size] of cases) {
    it(`${what}: ${size}`, () => assert.equal(recordSize(layoutOf(form)), size))
  }
})

describe('a damaged targets file is refused', () => {
  const bytes = readFileSync(written('base'))
  const begin = 12 + bytes.readUInt32LE(8)
  const edited = (from: string, to: string) => Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1')
  const cases: [string, Uint8Array, string][] = [
    ['empty', new Uint8Array(0), 'TARGETS_INVALID'],
    ['another file', Buffer.from('a text that is long enough'), 'TARGETS_INVALID'],
    ['of the format before', edited('TARGETS2', 'HIDDEN01'), 'TARGETS_OLD'],
    ['cut in its header', bytes.subarray(0, begin - 1), 'TARGETS_INVALID'],
    ['cut in its records', bytes.subarray(0, -1), 'TARGETS_TRUNCATED'],
    ['longer than its records', Buffer.concat([bytes, Buffer.of(0)]), 'TARGETS_TRUNCATED'],
    ['another dtype', edited('"F16"', '"F32"'), 'TARGETS_INVALID'],
    ['another form', edited('"hidden"', '"hid2en"'), 'TARGETS_INVALID'],
    ['columns of another form', edited('"name":"hidden"', '"name":"bidden"'), 'TARGETS_INVALID'],
    ['no width', edited('"width":3', '"width":0'), 'TARGETS_INVALID'],
    ['an unknown attention', edited('"count"', '"attend":"all","count"'), 'TARGETS_INVALID'],
    ['no JSON', edited('{', '['), 'TARGETS_INVALID'],
  ]
  for (const [what, content, code] of cases) {
    it(what, () => {
      const file = join(temporary, 'bad')
      writeFileSync(file, content)
      const result = openTargets(file)
      assert.ok(!result.ok)
      assert.equal(result.error.code, code)
      assert.ok(result.error.message.includes(file))
    })
  }

  it('a file that is not there', () => {
    const result = openTargets(join(temporary, 'nothing'))
    assert.ok(!result.ok)
    assert.equal(result.error.code, 'FILE_MISSING')
  })
})

describe('targets of another run are refused, with what was expected and found', () => {
  it('accepts its own, whatever the form when none is expected', () => {
    for (const form of [hidden, scaled, sampled, topk]) {
      assert.ok(checkTargets({ ...header, form }, { ...header, form }).ok)
    }
    const { form, ...any } = header
    assert.ok(checkTargets({ ...header, form }, any).ok)
  })

  const others: [string, Partial<TargetsExpected>, RegExp, Form?][] = [
    ['another model', { model: 'x' }, /teacher: expected x, found mmm/],
    ['another tokenizer', { tokenizer: 'x' }, /tokenizer: expected x, found ttt/],
    ['another token stream', { stream: 'x' }, /token stream: expected x, found sss/],
    ['another context', { packing: { context: 8, stride: 4 } }, /context: expected 8, found 4/],
    ['another packing', { packing: { context: 4, stride: 2 } }, /stride: expected 2, found 4/],
    ['another attention', { attend: 'document' }, /attend: expected document, found row/],
    ['another number of rows', { count: 6 }, /rows: expected 6, found 5/],
    ['another width', { form: { ...hidden, width: 4 } }, /width: expected 4, found 3/],
    ['another dtype', { form: scaled }, /dtype: expected I8, found F16/],
    ['another form', { form: topk }, /form: expected topk, found hidden/],
    [
      'other draws',
      { form: { ...sampled, samples: 3, seed: 8 } },
      /samples: expected 3, found 2; seed: expected 8, found 7/,
      sampled,
    ],
    ['another grid', { form: { ...topk, temperatures: [1] } }, /temperatures: expected 1, found 1 2\.5/, topk],
    [
      'another teacher of a corpus by its name',
      { model: 'x', corpus: 'letters' },
      /targets of the corpus "letters" belong/,
    ],
    ['two differences at once', { model: 'x', count: 6 }, /teacher: .*; rows: /],
  ]
  for (const [what, change, message, form = hidden] of others) {
    it(what, () => {
      const result = checkTargets({ ...header, form }, { ...header, form, ...change })
      assert.ok(!result.ok)
      assert.equal(result.error.code, 'TARGETS_MISMATCH')
      assert.match(result.error.message, message)
    })
  }
})

describe('a training that its targets cannot teach is refused, and told what can', () => {
  const forwardKl = { losses: ['forward-kl'], temperatures: [2] }

  it('serves every loss at every temperature from hidden states', () => {
    for (const form of [hidden, scaled]) assert.ok(checkLesson(form, { losses: ['reverse-kl'], temperatures: [3] }).ok)
  })

  it('serves forward KL at the temperature of the draws, or of the grid', () => {
    assert.ok(checkLesson(sampled, forwardKl).ok)
    for (const temperatures of [[1], [2.5], [2.5, 1]]) assert.ok(checkLesson(topk, { ...forwardKl, temperatures }).ok)
  })

  const cases: [string, Form, Partial<typeof forwardKl>, string, RegExp][] = [
    ['another loss, of draws', sampled, { losses: ['reverse-kl'] }, 'TARGETS_LOSS', /`loss` is `reverse-kl`.*`hidden`/],
    [
      'another loss, of top-k',
      topk,
      { losses: ['forward-kl', 'jsd'], temperatures: [1] },
      'TARGETS_LOSS',
      /form `topk`.*`loss` is `forward-kl \+ jsd`/,
    ],
    [
      'another temperature than that of the draws',
      sampled,
      { temperatures: [1] },
      'TARGETS_TEMPERATURE',
      /drawn at .* 2,/,
    ],
    [
      'a temperature beside the grid',
      topk,
      {},
      'TARGETS_TEMPERATURE',
      /1, 2\.5 alone.*is 2\. Train at 1 or 2\.5, .*`hidden`/,
    ],
    [
      'a schedule that leaves the grid',
      topk,
      { temperatures: [1, 2.5, 2, 3] },
      'TARGETS_TEMPERATURE',
      /`temperature` comes to 2\. Train at 1 or 2\.5, /,
    ],
    [
      'a schedule that leaves the temperature of the draws',
      sampled,
      { temperatures: [2, 1] },
      'TARGETS_TEMPERATURE',
      /`temperature` comes to 1\. Train at 2, /,
    ],
  ]
  for (const [what, form, change, code, message] of cases) {
    it(what, () => {
      const result = checkLesson(form, { ...forwardKl, ...change })
      assert.ok(!result.ok)
      assert.equal(result.error.code, code)
      assert.match(result.error.message, message)
    })
  }
})

function written(name: string, of = header): string {
  const file = join(temporary, name)
  const writer = createTargets(file, of)
  try {
    writer.append({ hidden: values.subarray(0, 6) }, 2)
    writer.append({ hidden: values.subarray(6) }, 3)
    writer.commit()
  } finally {
    writer.discard()
  }
  return file
}

function writtenAs(form: Form, all: Columns, count: number): string {
  const file = join(temporary, form.kind)
  const writer = createTargets(file, { ...header, form, count })
  writer.append(all, count)
  writer.commit()
  return file
}

function opened(file: string) {
  const result = openTargets(file)
  if (!result.ok) throw result.error
  return result.value
}
