import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { isMap, isScalar, parse, parseDocument } from 'yaml'
import type { ParsedNode } from 'yaml'
import { editParameters } from '../../lib/pipeline/edit.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const edit = (text: string, ...settings: string[]): string => {
  const edited = editParameters('pipeline.yaml', text, settings)
  if (!edited.ok) throw edited.error[0]!
  return edited.value.text
}

const refusal = (text: string, ...settings: string[]): string[] => {
  const edited = editParameters('pipeline.yaml', text, settings)
  return edited.ok ? [] : edited.error.map(({ code, message }) => `${code} ${message}`)
}

for (const [name, before, setting, after] of [
  ['a number and its comment', 'a: 2   # two', 'a=4', 'a: 4   # two'],
  ['the style of a number', 'a: 2', 'a=1e-4', 'a: 1e-4'],
  ['double quotes', 'a: "x"', 'a=y', 'a: "y"'],
  ['single quotes', "a: 'x'", "a=it's", "a: 'it''s'"],
  ['a text that needs quotes', 'a: x', "a='4'", 'a: "4"'],
  ['a plain text with commas', 'a: x', 'a=y, z', 'a: y, z'],
  ['the same in braces', 'a: { b: x, c: 1 }', 'a.b=y, z', 'a: { b: "y, z", c: 1 }'],
  ['a reference in braces', 'a: { b: x, c: 1 }', "a.b='${c}'", 'a: { b: "${c}", c: 1 }'],
  ['a list in brackets', 'a: [1, 2] # both', 'a=[3,  4.0]', 'a: [3,  4.0] # both'],
  ['a list of lines', 'a:\n    - 1 # one\n    - 2\n  b: 3', 'a=[3]', 'a:\n    [3]\n  b: 3'],
  ['a list as deep as its key', 'a:\n  - 1\n  b: 3', 'a=[3]', 'a:\n    [3]\n  b: 3'],
  ['a text of lines', 'a: |\n    one\n    two\n\n  # next\n  b: 3', 'a=x', 'a: x\n\n  # next\n  b: 3'],
  ['nothing', 'a:\n  b: 3', 'a=1', 'a: 1\n  b: 3'],
  ['a part of a map', 'a: { b: 1, c: 2 }', 'a={c: 3}', 'a: { b: 1, c: 3 }'],
  ['what has an anchor', 'a: &x 1\n  b: *x', 'a=2', 'a: &x 2\n  b: *x'],
  ['an alias', 'a: &x 1\n  b: *x', 'b=2', 'a: &x 1\n  b: 2'],
  ['a key in quotes', '"a.b": 1\n  c: 1', 'c=2', '"a.b": 1\n  c: 2'],
  ['carriage returns', 'a: 1 # x\r\n  b: 2\r', 'a=3', 'a: 3 # x\r\n  b: 2\r'],
] as const) {
  it(`keeps what is around: ${name}`, () => {
    assert.equal(edit(`params:\n  ${before}\n`, setting), `params:\n  ${after}\n`)
  })
}

it('refuses what it does not know, what stands elsewhere, and null', () => {
  const text = 'params:\n  base: &b { rate: 1 }\n  distill: { <<: *b, temperature: 2 }\n  other: *b\n'
  assert.match(refusal(text, 'distill.temprature=3')[0] ?? '', /^PARAM_UNKNOWN .*Did you mean "distill.temperature"/)
  assert.match(refusal(text, 'distill.rate=3')[0] ?? '', /^SET_INVALID .*behind an alias/)
  assert.match(refusal(text, 'other.rate=3')[0] ?? '', /^SET_INVALID .*behind an alias/)
  assert.match(refusal(text, 'base.rate=null')[0] ?? '', /^SET_INVALID .*remove its line/)
  assert.match(refusal(text, 'base.rate')[0] ?? '', /^SET_INVALID .*Write set a\.b=VALUE/)
  assert.equal(refusal(text, 'a=1', 'b=2').length, 2)
})

it('says which values are others, those behind aliases too', () => {
  const edited = editParameters('p.yaml', 'params:\n  a: &x 1\n  b: *x\n', ['a=2'])
  assert.ok(edited.ok)
  const said = edited.value.edits.map(({ name, from, to, place }) => [name, from, to, place.line, place.column])
  assert.deepEqual(said, [
    ['a', '1', '2', 2, 9],
    ['b', '1', '2', 2, 9],
  ])
})

/** Single values under `params:` with their paths. */
function scalarsIn(text: string): { path: string[]; start: number; end: number }[] {
  const found: { path: string[]; start: number; end: number }[] = []
  const visit = (node: ParsedNode | null, path: string[]): void => {
    if (isMap(node))
      for (const { key, value } of node.items) visit(value, [...path, String(isScalar(key) && key.value)])
    else if (isScalar(node)) found.push({ path, start: node.range[0], end: node.range[1] })
  }
  visit(parseDocument(text).get('params') as ParsedNode, [])
  return found
}

const VALUES = ['7', '-0.5', '1e-4', 'true', 'word', "'8'", 'two words', '"a: b # c"', '[1, [x, "y, z"]]', "''", '0x1F']

it('random edits of the files of this project change the characters of one value alone', () => {
  const files = ['pipeline.yaml', ...readdirSync(join(ROOT, 'recipes')).map((file) => `recipes/${file}`)]
  let [state, edits] = [1, 0]
  const draw = (most: number): number => (state = (state * 48271) % 2147483647) % most
  for (const file of files) {
    let text = readFileSync(join(ROOT, file), 'utf8')
    for (let i = 0; i < 40 && scalarsIn(text).length > 0; i++) {
      const scalars = scalarsIn(text)
      const { path, start, end } = scalars[draw(scalars.length)]!
      const value = VALUES[draw(VALUES.length)]!
      const after = edit(text, `${path.join('.')}=${value}`)
      assert.equal(after.slice(0, start), text.slice(0, start))
      assert.ok(after.endsWith(text.slice(end)), `${file} ${path.join('.')}=${value}`)
      const wanted = parse(text) as { params: Record<string, unknown> }
      const inner = path.slice(0, -1).reduce((at, name) => at[name] as Record<string, unknown>, wanted.params)
      inner[path.at(-1)!] = parse(value)
      assert.deepEqual(parse(after), wanted)
      ;[text, edits] = [after, edits + 1]
    }
  }
  assert.ok(edits > 150, `${edits} edits`)
})
