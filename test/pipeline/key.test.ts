import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonical, digestOf } from '../../lib/pipeline/canonical.ts'
import type { Digest } from '../../lib/pipeline/canonical.ts'
import { KEY_SCHEMA, envIdentity, keyOf } from '../../lib/pipeline/key.ts'
import type { KeyRecord } from '../../lib/pipeline/key.ts'
import type { Json } from '../../lib/util/json.ts'
import { Rig, shell, stage } from './rig.ts'

const digest = (name: string): Digest => digestOf(name)

const RECORD: KeyRecord = {
  schema: KEY_SCHEMA,
  code: digest('code'),
  with: { a: 1, b: { c: 'x' } },
  in: { left: { content: digest('one') }, right: { content: digest('two') } },
  out: { text: 'text.txt' },
  env: { SEED: null },
  packages: { yaml: '2.9.1 sha512-x' },
}

test('the order of keys does not matter, the order of a list does', () => {
  assert.equal(canonical({ a: 1, b: 2 }), canonical({ b: 2, a: 1 }))
  assert.notEqual(canonical([1, 2]), canonical([2, 1]))
})

test('keys are sorted by code unit, not by a locale', () => {
  const sorted = canonical({ ä: 1, z: 1, Z: 1, a: 1 })
  assert.ok(
    ['"Z"', '"a"', '"z"', '"ä"'].every(
      (key, index, keys) => index === 0 || sorted.indexOf(keys[index - 1]!) < sorted.indexOf(key),
    ),
  )
})

test('no two values share a text', () => {
  // prettier-ignore
  const values: Json[] = [
    null, true, false, 0, 1, '1', '', 'n', [], {}, [[]], [{}], ['a', 'b'], ['ab'], ['a,b'], [['a'], 'b'], [['a', 'b']],
    { a: 'b' }, { a: { b: null } }, { 'a":"b': 1 }, '\ud800', '\udc00', '\ufffd', '\u00e9', 'e\u0301', { 1: 'a' }, ['1', 'a'], 's1:1',
  ]
  const texts = values.map(canonical)
  assert.equal(new Set(texts).size, values.length)
  assert.equal(new Set(values.map(digestOf)).size, values.length)
})

test('1, 1.0 and 1e0 are one number, 0 and -0 too; what JSON does not have is refused', () => {
  assert.equal(canonical(1.0), canonical(Number('1e0')))
  assert.equal(canonical(-0), canonical(0))
  for (const value of [NaN, Infinity, -Infinity]) assert.throws(() => canonical(value), /Internal error/)
})

test('names that only look alike, and names of every object, are names of their own', () => {
  const named = (name: string): string =>
    keyOf({ ...RECORD, with: JSON.parse(`{${JSON.stringify(name)}:1}`) as KeyRecord['with'] })
  const keys = ['', '\u00e9', 'e\u0301', '__proto__', 'constructor', '1', '01'].map(named)
  assert.equal(new Set(keys).size, keys.length)
})

test('every field of the record is in the key, and two swapped inputs are another key', () => {
  const others: KeyRecord[] = [
    { ...RECORD, schema: (KEY_SCHEMA + 1) as typeof KEY_SCHEMA },
    { ...RECORD, code: digest('other') },
    { ...RECORD, with: { a: 2, b: { c: 'x' } } },
    { ...RECORD, in: { left: RECORD.in['right']!, right: RECORD.in['left']! } },
    { ...RECORD, in: { ...RECORD.in, left: { text: digest('one') } } },
    { ...RECORD, out: { text: 'other.txt' } },
    { ...RECORD, env: { SEED: digest('') } },
    { ...RECORD, packages: { yaml: '2.9.2 sha512-x' } },
  ]
  assert.equal(new Set([RECORD, ...others].map(keyOf)).size, others.length + 1)
})

test('a variable that is absent differs from an empty one, and its value is not stored', () => {
  const identity = (env: NodeJS.ProcessEnv) => envIdentity(['TOKEN'], env)['TOKEN']
  assert.equal(identity({}), null)
  assert.notEqual(identity({ TOKEN: '' }), null)
  assert.notEqual(identity({ TOKEN: '' }), identity({ TOKEN: 'a' }))
  assert.ok(!String(identity({ TOKEN: 'secret' })).includes('secret'))
})

test('a key does not depend on folder, working directory, clock, locale, jobs, or what is not declared', async (t) => {
  const keys: string[] = []
  for (const [index, LANG] of ['C', 'de_DE.UTF-8'].entries()) {
    const rig = new Rig(t)
    rig.write('input.txt', 'abc')
    process.env['LANG'] = LANG
    process.env['UNDECLARED'] = String(index)
    const copy = shell(
      'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"; echo "$UNDECLARED$LANG$TZ" >> "$PIPELINE_OUT_TEXT"',
    )
    const summary = await rig.run([stage('copy', copy, { in: { text: './input.txt' }, out: { text: 'text.txt' } })], {
      jobs: index + 1,
    })
    keys.push(summary.finished.stages[0]!.key!)
    assert.equal(rig.read('artifacts/copy/text.txt'), 'abcUTC\n')
  }
  assert.equal(keys[0], keys[1])
})
