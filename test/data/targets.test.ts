import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { checkTargets, createTargets, openTargets } from '../../lib/data/targets.ts'
import type { TargetsExpected, TargetsHeader } from '../../lib/data/targets.ts'

const temporary = mkdtempSync(join(tmpdir(), 'targets-'))
after(() => rmSync(temporary, { recursive: true }))

const header: TargetsHeader = {
  model: 'm'.repeat(64),
  tokenizer: 't'.repeat(64),
  stream: 's'.repeat(64),
  packing: { context: 4, stride: 4 },
  width: 3,
  count: 5,
}
const values = Float32Array.from({ length: 15 }, (_, index) => index / 8 - 1)

describe('a targets file', () => {
  it('gives back its header and any of its rows', () => {
    const targets = opened(written('whole'))
    assert.deepEqual(targets.header, header)
    assert.deepEqual(targets.rows(0, 5), values)
    assert.deepEqual(targets.rows(1, 2), values.slice(3, 9))
    assert.deepEqual(targets.rows(5, 0), new Float32Array(0))
    assert.throws(() => targets.rows(4, 2), /Internal error/)
    targets.close()
  })

  it('is laid out as documented: magic, length, JSON, halves from a multiple of 64 on', () => {
    const bytes = readFileSync(written('layout'))
    assert.equal(bytes.toString('latin1', 0, 8), 'HIDDEN01')
    const begin = 12 + bytes.readUInt32LE(8)
    assert.equal(begin % 64, 0)
    assert.deepEqual(JSON.parse(bytes.toString('utf8', 12, begin)), { ...header, dtype: 'F16' })
    assert.equal(bytes.length, begin + 5 * 3 * 2)
    assert.equal(bytes.readUInt16LE(begin), 0xbc00) // −1
  })

  it('is there whole or not at all', () => {
    const folder = mkdtempSync(join(temporary, 'atomic-'))
    const writer = createTargets(join(folder, 'targets'), header)
    writer.append(values.subarray(0, 6))
    assert.ok(!readdirSync(folder).includes('targets'))
    assert.throws(() => writer.commit(), /Internal error: targets committed after 6 of 15/)
    writer.discard()
    assert.deepEqual(readdirSync(folder), [])
  })

  it('takes whole rows alone, and no more than it was made for', () => {
    const writer = createTargets(join(temporary, 'rows'), header)
    assert.throws(() => writer.append(values.subarray(0, 4)), /Internal error/)
    writer.append(values)
    assert.throws(() => writer.append(values.subarray(0, 3)), /Internal error/)
    writer.discard()
  })

  for (const bad of [NaN, Infinity, 65520]) {
    it(`refuses a hidden state that half precision cannot hold, and says where: ${bad}`, () => {
      const writer = createTargets(join(temporary, 'range'), header)
      writer.append(values.subarray(0, 6))
      const rows = values.slice(6)
      rows[4] = bad
      assert.throws(() => writer.append(rows), {
        code: 'TARGETS_RANGE',
        message: new RegExp(`position 3 holds ${bad}`),
      })
      writer.discard()
    })
  }
})

describe('a damaged targets file is refused', () => {
  const bytes = readFileSync(written('base'))
  const begin = 12 + bytes.readUInt32LE(8)
  const edited = (from: string, to: string) => Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1')
  const cases: [string, Uint8Array, string][] = [
    ['empty', new Uint8Array(0), 'TARGETS_INVALID'],
    ['another file', Buffer.from('a text that is long enough'), 'TARGETS_INVALID'],
    ['cut in its header', bytes.subarray(0, begin - 1), 'TARGETS_INVALID'],
    ['cut in its rows', bytes.subarray(0, -1), 'TARGETS_TRUNCATED'],
    ['longer than its rows', Buffer.concat([bytes, Buffer.of(0)]), 'TARGETS_TRUNCATED'],
    ['another dtype', edited('"F16"', '"F32"'), 'TARGETS_INVALID'],
    ['no width', edited('"width":3', '"width":0'), 'TARGETS_INVALID'],
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
  it('accepts its own, whatever the width when none is expected', () => {
    assert.ok(checkTargets(header, header).ok)
    const { model, tokenizer, stream, packing, count } = header
    assert.ok(checkTargets(header, { model, tokenizer, stream, packing, count }).ok)
  })

  const others: [string, Partial<TargetsExpected>, RegExp][] = [
    ['another model', { model: 'x' }, /teacher: expected x, found mmm/],
    ['another tokenizer', { tokenizer: 'x' }, /tokenizer: expected x, found ttt/],
    ['another token stream', { stream: 'x' }, /token stream: expected x, found sss/],
    ['another context', { packing: { context: 8, stride: 4 } }, /context: expected 8, found 4/],
    ['another packing', { packing: { context: 4, stride: 2 } }, /stride: expected 2, found 4/],
    ['another number of rows', { count: 6 }, /rows: expected 6, found 5/],
    ['another width', { width: 4 }, /width: expected 4, found 3/],
    ['two differences at once', { model: 'x', count: 6 }, /teacher: .*; rows: /],
  ]
  for (const [what, change, message] of others) {
    it(what, () => {
      const result = checkTargets(header, { ...header, ...change })
      assert.ok(!result.ok)
      assert.equal(result.error.code, 'TARGETS_MISMATCH')
      assert.match(result.error.message, message)
    })
  }
})

function written(name: string): string {
  const file = join(temporary, name)
  const writer = createTargets(file, header)
  try {
    writer.append(values.subarray(0, 6))
    writer.append(values.subarray(6))
    writer.commit()
  } finally {
    writer.discard()
  }
  return file
}

function opened(file: string) {
  const result = openTargets(file)
  if (!result.ok) throw result.error
  return result.value
}
