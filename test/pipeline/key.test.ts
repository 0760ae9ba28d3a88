import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { canonical, digestOf } from '../../lib/pipeline/canonical.ts'
import type { Digest } from '../../lib/pipeline/canonical.ts'
import { KEY_SCHEMA, envIdentity, keyOf } from '../../lib/pipeline/key.ts'
import type { KeyRecord } from '../../lib/pipeline/key.ts'
import { manifestText } from '../../lib/pipeline/manifest.ts'
import type { Manifest } from '../../lib/pipeline/manifest.ts'
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

/** Sets variables of this process until the test is over. */
function setVariables(t: TestContext, variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    process.env[name] = value
    t.after(() => {
      if (before === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = before
    })
  }
}

test('a key does not depend on how it is run: PATH, folder it is run from, colour, jobs, engine, retries, time-out', async (t) => {
  const rig = new Rig(t)
  const copy = (more: Parameters<typeof stage>[2]) => [
    stage('copy', shell('echo x > "$PIPELINE_OUT_TEXT"'), { out: { text: 'text.txt' }, ...more }),
  ]
  assert.deepEqual(await rig.outcomes(copy({})), ['copy: ran'])
  const { PATH = '' } = process.env
  setVariables(t, { PATH: `${PATH}:/nowhere`, TZ: 'Asia/Tokyo', FORCE_COLOR: '1', NO_COLOR: '', COLUMNS: '20' })
  const before = process.cwd()
  t.after(() => process.chdir(before))
  mkdirSync(rig.path('elsewhere'))
  process.chdir(rig.path('elsewhere'))
  const other = copy({
    resources: { gpu: 1, cpu: 1, memory: 1 },
    timeoutSeconds: 60,
    retries: { times: 3, backoffSeconds: 0 },
  })
  const options = { jobs: 1, keepGoing: true, engine: 'onnx', graceSeconds: 1 }
  assert.deepEqual(await rig.outcomes(other, options), ['copy: fresh'])
})

test('a result of another key format is no hit, and the plan says so', async (t) => {
  const rig = new Rig(t)
  const stages = [stage('copy', shell('echo x > "$PIPELINE_OUT_TEXT"'), { out: { text: 'text.txt' } })]
  const { finished } = await rig.run(stages)
  const key = finished.stages[0]!.key!
  const { seal, ...manifest } = JSON.parse(rig.read(`artifacts/store/copy/${key}/manifest.json`)) as Manifest & {
    seal: string
  }
  assert.equal(typeof seal, 'string')
  const record = { ...manifest.record, schema: (KEY_SCHEMA - 1) as typeof KEY_SCHEMA }
  const folder = rig.path('artifacts/store/copy', keyOf(record))
  renameSync(rig.path('artifacts/store/copy', key), folder)
  chmodSync(join(folder, 'manifest.json'), 0o644)
  writeFileSync(join(folder, 'manifest.json'), manifestText({ ...manifest, key: keyOf(record), record }))
  const [plan] = await rig.plan(stages)
  assert.equal(plan?.state, 'run')
  assert.match(plan.reason, new RegExp(`key format  ${KEY_SCHEMA - 1} → ${KEY_SCHEMA}`))
  assert.deepEqual(await rig.outcomes(stages), ['copy: ran'])
})

test('the value of a declared variable stands in no file that a run leaves', async (t) => {
  const rig = new Rig(t)
  setVariables(t, { AUTH: 'wont-be-stored-4711' })
  const script = '[ "$AUTH" = wont-be-stored-4711 ] && echo x > "$PIPELINE_OUT_TEXT"'
  const stages = [
    stage('copy', shell(script.replace('wont-be-stored', "wont-be''-stored")), {
      env: ['AUTH'],
      out: { text: 'text.txt' },
    }),
  ]
  assert.deepEqual(await rig.outcomes(stages), ['copy: ran'])
  const files = readdirSync(rig.root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  assert.ok(files.length > 4)
  const holding = files
    .map((file) => join(file.parentPath, file.name))
    .filter((file) => readFileSync(file).includes('wont-be-stored-4711'))
  assert.deepEqual(holding, [])
  process.env['AUTH'] = 'another'
  const [plan] = await rig.plan(stages)
  assert.equal(plan?.state, 'run')
  assert.ok(!JSON.stringify(plan).includes('another'))
})
