import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Problems } from '../../lib/pipeline/problems.ts'
import { readPlainYaml } from '../../lib/pipeline/plain-yaml.ts'
import { makeSource } from '../../lib/pipeline/source.ts'
import type { Tree } from '../../lib/pipeline/tree.ts'
import { parseAnyYaml } from '../../lib/pipeline/yaml.ts'
import { packageRoot } from '../../lib/util/package-root.ts'

const root = packageRoot()
const recipes = readdirSync(join(root, 'recipes')).map((name) => join('recipes', name))
const files = ['pipeline.yaml', ...recipes.filter((name) => name.endsWith('.yaml'))]

const plain = `# a comment
version: 1
"quoted key": 'a text' # behind it a comment
stages:

  first-stage:
    cmd: [cp, '\${in.a}', "\${out.b}", -x, --yes, a b, builtin:world]
    in: { a: file:input.txt, 'b': { c: [], d: {} } }
    # between
    with:
      rate: 0.001
      zero: -0
      is: true
      none: null
      text: \${world.seed} and a#b c:d
    out:
    - b
    - c
    outs: [b, page: report.html, 'c': { d: 1 }]
    list:
      - 12
      - [a,
         b]
  last: { a: ./x/y, b: a/b.c }
`

test('What is written plainly is read without the library, to the same tree with the same places', () => {
  ok(same(plain))
  ok(same('a: 1'))
  ok(same('a:\n  b: 1\n\n# the end'))
  for (const file of files) ok(same(readFileSync(join(root, file), 'utf8')), file)
})

const others = [
  'a:\n- b: 1',
  '',
  'a',
  'a:',
  'a: \n',
  '- a',
  'a: &x 1\nb: *x',
  'a: !!str 1',
  'a: |\n  text',
  'a: >-\n  text',
  'a: one\n  two',
  'a: "one\n  two"',
  'a: "\\n"',
  "a: 'it''s'",
  'a: 1\na: 2',
  'a: { b: 1, b: 2 }',
  'a: 0x10',
  'a: 1e3',
  'a: .inf',
  'a: True',
  'true: 1',
  '1: 1',
  '<<: { a: 1 }',
  'a: 9007199254740993',
  'a: 1\n b: 2',
  'a:\n\tb: 1',
  'a: 1\r\nb: 2',
  'a: b: c',
  'a: [b',
  'a: { b: ${c} }',
  'a: [b: c, d: [e: f: g]]',
  'a:\n  b: [c,\n  d]',
  'a: @b',
  'a: %b',
  'a: 1\n---\nb: 2',
  'a: 1\n...\n',
  '%YAML 1.2\n---\na: 1',
  'a: "b"c',
  'a:b: c',
  '\uFEFFa: 1',
  'a: b #c\n  d',
]
for (const text of others) {
  test(`${JSON.stringify(text.slice(0, 30))} is left to the library`, () => {
    equal(readPlainYaml(makeSource('x', text)), undefined)
  })
}

test('Whatever slips into a file: what is read plainly is what the library reads', () => {
  const next = generator(7)
  const bits = [
    ...' \n:#-,[]{}\'"&*!|>%@`?~$.0a1'.split(''),
    ...[': ', ' #', '- ', '\n  ', '${', 'null', '-0', '1.50', '<<: ', '  ', 'é'],
  ]
  const seeds = [
    plain,
    ...files.map((file) => readFileSync(join(root, file), 'utf8')).filter((text) => text.length < 3000),
  ]
  let read = 0
  for (let i = 0; i < 6000; i++) {
    let text = pick(seeds, next)
    for (let edits = 1 + (next() % 3); edits > 0; edits--) {
      const at = next() % text.length
      text = text.slice(0, at) + pick(bits, next) + text.slice(at + (next() % 3))
    }
    if (same(text)) read++
  }
  ok(read > 500, `${read} were read`)
})

/** True where it is read plainly, and then as the library reads it. */
function same(text: string): boolean {
  const [mine, theirs] = [makeSource('x', text), makeSource('x', text)]
  const tree = readPlainYaml(mine)
  if (tree === undefined) return false
  const problems = new Problems()
  const any = parseAnyYaml(theirs, problems)
  deepEqual(
    problems.list().map(({ message }) => message),
    [],
    text,
  )
  deepEqual(bare(tree), bare(any!), text)
  deepEqual(mine.lines.lineStarts, theirs.lines.lineStarts, text)
  return true
}

/** A tree without its source, its keys in order. */
function bare(tree: Tree): unknown {
  const at = tree.at.offset
  if (tree.kind === 'scalar') return [at, tree.value]
  if (tree.kind === 'list') return [at, ...tree.items.map(bare)]
  return [at, 'map', ...[...tree.entries].map(([key, { keyAt, value }]) => [key, keyAt.offset, bare(value)])]
}

const pick = <T>(values: readonly T[], next: () => number): T => values[next() % values.length]!

function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 8
  }
}
