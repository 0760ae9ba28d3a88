import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
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

/** Keys and scalars that mean more to YAML than to who writes them, among plain ones. */
const KEYS = ['a', 'b-c', 'quoted key', '1', 'true', 'Null', '<<', '__proto__', 'constructor', 'é', '?', 'x: y', 'a#b']
const SIMPLE: readonly unknown[] = [
  0,
  1,
  -12.5,
  0.1,
  true,
  false,
  null,
  'a',
  'two words',
  '${x.y}',
  '${in.a}/b',
  'C:\\x',
]
const SCALARS: readonly unknown[] = [
  ...[0, -0, 1, -12.5, 1e21, 5e-324, 0.1, 9007199254740991, true, false, null],
  ...[
    '',
    ' ',
    'True',
    'NULL',
    '+1',
    '1.',
    '00',
    '1e3',
    'null',
    '~',
    'yes',
    'No',
    '012',
    '0o7',
    '0x1f',
    '.5',
    '-.inf',
    '.nan',
    '1_000',
    '12e03',
    '-',
    '--x',
    '---',
  ],
  ...[
    'a: b',
    'a #b',
    '#',
    '${x.y}',
    '${in.a}/b',
    '@a',
    '`a',
    '!a',
    '&a',
    '*a',
    '|',
    '>',
    '%',
    "it's",
    '"',
    'a\\nb',
    'a\nb\n',
  ],
  ...[
    '\t',
    'a\tb',
    ' a',
    'a ',
    '[a',
    'a]',
    '{a',
    'a}',
    'a,b',
    ', ',
    '2001-01-01',
    'http://x/y?z#w',
    'C:\\x',
    '😀',
    '\u2028',
  ],
]

const NO_ALIAS = { aliasDuplicateObjects: false }
const LAYOUTS = [
  { indent: 2, lineWidth: 0 },
  { indent: 4, lineWidth: 0, indentSeq: false },
  { indent: 1, lineWidth: 40, simpleKeys: true },
  { lineWidth: 0, collectionStyle: 'flow' },
  { lineWidth: 30, collectionStyle: 'flow', flowCollectionPadding: false },
  { lineWidth: 0, singleQuote: true, nullStr: '~' },
  { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' },
] as const

/** As it stands in memory, nothing quoted: what YAML takes for something else then is to be seen by the reader. */
function raw(value: unknown, margin: string, next: () => number): string {
  if (value === null || typeof value !== 'object') return ` ${String(value)}`
  if (margin !== '' && next() % 3 === 0) return ` ${flow(value)}`
  const inner = margin === '' ? '' : margin + ' '.repeat(next() % 4)
  if (Array.isArray(value)) return value.map((one) => `\n${inner}-${raw(one, `${inner} `, next)}`).join('')
  return Object.entries(value)
    .map(([key, one]) => `\n${inner}${key}:${raw(one, `${inner} `, next)}`)
    .join('')
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (value === null || typeof value !== 'object') return String(value)
  return `{ ${Object.entries(value)
    .map(([key, one]) => `${key}: ${flow(one)}`)
    .join(', ')} }`
}

test('Whatever is in a document, and however it is laid out: what is read plainly is what the library reads', () => {
  const next = generator(11)
  let read = 0
  for (let i = 0; i < 8000; i++) {
    const root = { version: 1, ...document(next, 3) }
    const text = next() % 2 === 0 ? raw(root, '', next) : stringify(root, { ...NO_ALIAS, ...pick(LAYOUTS, next) })
    const chopped = next() % 4 === 0 ? text.slice(0, next() % text.length) : text
    if (same(chopped)) read++
  }
  ok(read > 1000, `${read} were read`)
})

function document(next: () => number, depth: number): object {
  const isOdd = (): boolean => next() % 12 === 0
  const key = (): string => (isOdd() ? pick(KEYS, next) : pick(KEYS.slice(0, 3), next))
  const value = (): unknown => {
    const kind = next() % 4
    if (depth === 0 || kind < 2) return isOdd() ? pick(SCALARS, next) : pick(SIMPLE, next)
    if (kind === 2) return Array.from({ length: next() % 4 }, value)
    return document(next, depth - 1)
  }
  return Object.fromEntries(Array.from({ length: 1 + (next() % 4) }, () => [key(), value()]))
}

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
    return state >>> 16 // the low bits repeat soon
  }
}
