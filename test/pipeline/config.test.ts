import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failures, load, loaded, mistakes, plain, stage, withParams } from './configuration.ts'

const value = async (yaml: string): Promise<unknown> => plain((await loaded(withParams(yaml))).stages[0]!.with.v)

describe('values of YAML', () => {
  it('knows one number by all its forms, and a text from a number', async () => {
    for (const form of ['1', '1.0', '1e0', '+1', '0x1']) assert.equal(await value(form), 1)
    assert.equal(await value("'1'"), '1')
    assert.equal(await value('true'), true)
    assert.equal(await value("'true'"), 'true')
    assert.equal(await value('yes'), 'yes')
    assert.equal(await value('012'), 12)
    assert.ok(Object.is((await loaded(withParams('-0.0'))).stages[0]!.with.v, 0))
    assert.equal(await value('~'), null)
  })

  it('refuses numbers that JSON lacks and integers that a double would round', async () => {
    for (const form of ['.nan', '.inf', '-.inf', '1e400'])
      assert.deepEqual(await mistakes(withParams(form)), ['VALUE_INVALID 3:6'])
    assert.equal(await value('9007199254740991'), 9007199254740991)
    for (const form of ['9007199254740992', '9007199254740993', '-9007199254740993']) {
      assert.deepEqual(await mistakes(withParams(form)), ['NUMBER_INEXACT 3:6'])
    }
  })

  it('makes the same of a file after edits of formatting, comments, key order and anchors', async () => {
    const before =
      'version: 1\nparams:\n  a: 1\n  b: {x: [1, 2], y: text}\nstages:\n  s: {cmd: [node], with: {b: "${b}", a: "${a}"}, out: [o]}\n'
    const after = `# a comment
stages:
  s:
    out:
      - o # another
    with: &w
      a: \${a}
      b: \${b}
    cmd: ["node"]
params: { b: { "y": 'text', x: &x [1.0, 2] }, a: 1e0 }
version: 1
`.replaceAll('\n', '\r\n')
    const stagesOf = async (yaml: string): Promise<unknown> =>
      plain((await loaded(yaml)).stages.map((each) => ({ ...each, place: null, places: null })))
    assert.deepEqual(await stagesOf(after), await stagesOf(before))
  })

  it('merges with <<: own keys win, then earlier sources', async () => {
    const yaml =
      'version: 1\nparams:\n  a: &a { x: 1, y: 1 }\n  b: &b { y: 2, z: 2 }\n  p: { <<: [*a, *b], x: 9 }\nstages:\n  s: { cmd: [node], with: "${p}", out: [] }\n'
    assert.deepEqual(plain((await loaded(yaml)).stages[0]!.with), { x: 9, y: 1, z: 2 })
  })

  it('names both places of a key that is written twice', async () => {
    const [failure] = await failures(withParams('{ a: 1, b: 2, a: 3 }'))
    assert.equal(failure?.code, 'KEY_DUPLICATE')
    assert.deepEqual([failure.place?.line, failure.place?.column], [3, 20])
    assert.match(failure.message, /pipeline\.yaml:3:8/)
    assert.deepEqual(await mistakes(withParams('{ 1: a, 1.0: b }')), ['KEY_DUPLICATE 3:14'])
  })

  it('refuses alias bombs, circles of aliases, reference bombs and deep nesting, and stays quick', async () => {
    const nine = (name: string): string => `[${Array(9).fill(name).join(', ')}]`
    const bomb = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} ${nine(i === 0 ? 'x' : `*a${i - 1}`)}`).join('\n')
    assert.deepEqual(await mistakes(bomb), ['YAML_TOO_LARGE 1:1'])
    assert.deepEqual(await mistakes(withParams('&p [*p]')), ['VALUE_INVALID 3:10'])
    const lines = Array.from({ length: 12 }, (_, i) => `  p${i}: ${nine(i === 0 ? 'x' : `'\${p${i - 1}}'`)}`)
    assert.deepEqual(
      (await failures(['version: 1', 'params:', ...lines, 'stages: {}'].join('\n'))).map(({ code }) => code),
      ['YAML_TOO_LARGE'],
    )
    assert.deepEqual(await mistakes(`a: ${'['.repeat(20_000)}`), ['YAML_TOO_LARGE 1:1'])
    assert.deepEqual(await mistakes(`a: ${'['.repeat(200)}${']'.repeat(200)}`), ['YAML_TOO_LARGE 1:1'])
  })

  it('takes an alias for the last anchor of its name before it', async () => {
    const params = '[&a { x: &b 1 }, &b 2, *a, *b]'
    assert.deepEqual(await value(params), [{ x: 1 }, 2, { x: 1 }, 2])
  })

  it('says what is no YAML, no text and no map', async () => {
    assert.deepEqual(await mistakes('a: "b\n'), ['YAML_SYNTAX 2:1'])
    assert.deepEqual(await mistakes(''), ['VALUE_INVALID 1:1'])
    assert.deepEqual(await mistakes('- a\n'), ['VALUE_INVALID 1:1'])
    assert.deepEqual(await mistakes('version: !x 1\nstages: {}\n'), ['YAML_SYNTAX 1:10'])
    assert.deepEqual(await mistakes(Uint8Array.of(0x61, 0xff, 0xfe)), ['FILE_UNREADABLE'])
    const [unquoted] = await failures('version: 1\nstages: { s: { cmd: [node], with: { a: ${b} } } }\n')
    assert.match(unquoted?.message ?? '', /in quotes: '\$\{name\}'/)
  })
})

describe('odd names', () => {
  it('takes __proto__, constructor and numbers as names of parameters like any other', async () => {
    const pipeline = await loaded(withParams('{ __proto__: { polluted: 1 }, constructor: 2, 1: one, toString: 3 }'))
    const { v } = pipeline.stages[0]!.with
    assert.deepEqual(Object.keys(v as object).sort(), ['1', '__proto__', 'constructor', 'toString'])
    assert.equal(({} as { polluted?: number }).polluted, undefined)
    assert.deepEqual(await mistakes(withParams('{ a: 1 }', '${p.constructor}')), ['PARAM_UNKNOWN 7:17'])
    assert.deepEqual(await mistakes(withParams('{ a: 1 }', '${__proto__}')), ['PARAM_UNKNOWN 7:17'])
  })

  it('keeps names apart that differ in their Unicode form alone', async () => {
    const pipeline = await loaded(withParams('{ "\\u00e9": 1, "e\\u0301": 2 }'))
    assert.deepEqual(Object.keys(pipeline.stages[0]!.with.v as object), ['\u00e9', 'e\u0301'])
  })

  it('refuses stage names that are reserved, empty or no names', async () => {
    const named = (name: string): string => `version: 1\nstages:\n  ${name}: { cmd: [node] }\n`
    for (const name of ['store', 'experiments', 'tensorboard', 'Store', '__proto__', 'constructor', 'nul']) {
      assert.deepEqual(await mistakes(named(name)), ['NAME_RESERVED 3:3'], name)
    }
    for (const name of ['""', '"a b"', 'a.b', 'a/b', '".."', '"a[b]"', '-a', '"a\\nb"']) {
      assert.deepEqual(await mistakes(named(name)), ['NAME_INVALID 3:3'], name)
    }
    for (const name of ['1', 'é', 'a-b_c', 'toString']) assert.equal((await loaded(named(name))).stages.length, 1)
  })

  it('refuses two stages whose links would be one on a disk that does not tell case apart', async () => {
    const [failure] = await failures('version: 1\nstages:\n  a: { cmd: [node] }\n  A: { cmd: [node] }\n')
    assert.equal(failure?.code, 'NAME_COLLISION')
    assert.match(failure.message, /pipeline\.yaml:3:3/)
  })
})

describe('the schema', () => {
  it('places every mistake and names the nearest right key', async () => {
    const yaml = `version: 2
param: {}
stages:
  s:
    cmd: node
    timout: 3
    in: [a]
    resources: { gpu: -1, gpus: 1 }
    env: [A B]
`
    assert.deepEqual(await mistakes(yaml), [
      'VALUE_INVALID 1:10',
      'KEY_UNKNOWN 2:1',
      'VALUE_INVALID 5:10',
      'KEY_UNKNOWN 6:5',
      'VALUE_INVALID 7:9',
      'VALUE_INVALID 8:23',
      'KEY_UNKNOWN 8:27',
      'VALUE_INVALID 9:11',
    ])
    const messages = (await failures(yaml)).map(({ message }) => message)
    assert.match(messages[1]!, /"param" is not a key of pipeline\.yaml\. Did you mean "params"\?/)
    assert.match(messages[2]!, /"stages\.s\.cmd" must be a list, found the text "node"/)
    assert.match(messages[3]!, /Did you mean "timeout"\?/)
    assert.deepEqual(await mistakes('params: {}\n'), ['KEY_MISSING 1:1', 'KEY_MISSING 1:1'])
  })

  it('reads resources, timeouts and environment, given also by parameters', async () => {
    const { stages } = await loaded(
      stage('resources: { gpu: 1, cpu: 2, memory: 1.5GiB }', 'timeout: 15m', 'env: [SEED, SEED]'),
    )
    assert.deepEqual(stages[0]?.resources, { gpu: 1, cpu: 2, memory: 1.5 * 2 ** 30 })
    assert.deepEqual([stages[0].timeoutSeconds, stages[0].env], [900, ['SEED']])
    const given =
      'version: 1\nparams: { t: 7, g: 1 }\nstages:\n  s: { cmd: [node], timeout: "${t}", resources: { gpu: "${g}" } }\n'
    assert.equal((await loaded(given)).stages[0]?.timeoutSeconds, 7)
    const retriesOf = async (text: string) => (await loaded(stage(`retries: ${text}`))).stages[0]?.retries
    assert.deepEqual((await loaded(given)).stages[0]?.retries, { times: 0, backoffSeconds: 1 })
    assert.deepEqual(await retriesOf('2'), { times: 2, backoffSeconds: 1 })
    assert.deepEqual(await retriesOf('{ times: 3, backoff: 1.5m }'), { times: 3, backoffSeconds: 90 })
    assert.deepEqual(await retriesOf('{ backoff: 0 }'), { times: 1, backoffSeconds: 0 })
    assert.deepEqual(await mistakes(stage('retries: { time: 2, backoff: soon }')), ['KEY_UNKNOWN 5:16'])
    assert.match((await failures(stage('retries: { time: 2 }')))[0]!.message, /"time" is not a key of "retries"\. Did/)
    assert.deepEqual(await mistakes(stage('retries: { backoff: soon }')), ['VALUE_INVALID 5:25'])
    assert.deepEqual(await mistakes(stage('slurm: { time: 2 days }')), ['VALUE_INVALID 5:20'])
    // that of all stages once, where it stands
    assert.deepEqual(await mistakes(`slurm: { time: soon }\n${stage()}  t: { cmd: [node] }\n`), ['VALUE_INVALID 1:16'])
    assert.deepEqual(await mistakes(stage('retries: -1')), ['VALUE_INVALID 5:14'])
    assert.deepEqual(await mistakes(stage('timeout: 15 parsecs')), ['VALUE_INVALID 5:14'])
    assert.deepEqual(await mistakes(stage('resources: { memory: 4Gb }')), ['VALUE_INVALID 5:26'])
  })

  it('reads tolerances of outputs, a number for both kinds, and refuses those of none', async () => {
    const { stages } = await loaded(
      stage('out: [a, b, c]', 'tolerance: { a: 1e-6, b: { relative: 0.01 }, c: { absolute: 1, relative: 0 } }'),
    )
    assert.deepEqual(
      { ...stages[0]?.tolerance },
      {
        a: { absolute: 1e-6, relative: 1e-6 },
        b: { absolute: 0, relative: 0.01 },
        c: { absolute: 1, relative: 0 },
      },
    )
    const given = 'version: 1\nparams: { t: 0.5 }\nstages:\n  s: { cmd: [node], out: [a], tolerance: { a: "${t}" } }\n'
    assert.deepEqual((await loaded(given)).stages[0]?.tolerance?.['a'], { absolute: 0.5, relative: 0.5 })
    const [unknown] = await failures(stage('out: [curves]', 'tolerance: { curve: 1 }'))
    assert.deepEqual([unknown?.code, unknown?.place?.line], ['OUTPUT_UNKNOWN', 6])
    assert.match(unknown!.message, /"tolerance" names "curve", .* its outputs are curves\. Did you mean "curves"\?/)
    for (const wrong of ['-1', 'close', '{}', '{ absolute: -1 }', '[1]']) {
      assert.deepEqual(
        (await failures(stage('out: [a]', `tolerance: { a: ${wrong} }`))).map(({ code, place }) => [code, place?.line]),
        [['VALUE_INVALID', 6]],
        wrong,
      )
    }
    assert.deepEqual(await mistakes(stage('out: [a]', 'tolerance: { a: { absolut: 1 } }')), ['KEY_UNKNOWN 6:23'])
  })

  it('wants one program for each stage, and its file to be there', async () => {
    assert.deepEqual(await mistakes('version: 1\nstages:\n  s: {}\n'), ['PROGRAM_INVALID 3:3'])
    assert.deepEqual(await mistakes('version: 1\nstages:\n  s: { run: input.txt, cmd: [a] }\n'), [
      'PROGRAM_INVALID 3:29',
    ])
    const [missing] = await failures('version: 1\nstages:\n  s: { run: data/b.txt }\n')
    assert.match(missing?.message ?? '', /Did you mean "data\/a\.txt"\?/)
  })
})

it('gives all mistakes of all files at once, in their order, without mistakes that follow from others', async () => {
  const yaml = `version: 1
params:
  a: \${b}
  b: \${a}
stages:
  one:
    cmd: [node, '\${in.x}', '\${missing}']
    in: { x: '\${mising}', y: two.outt }
    outt: [o]
  two:
    run: stages/nothing.ts
    in: { x: one.o, z: inputt.txt }
    out: [out]
  __proto__:
    cmd: [node]
`
  assert.deepEqual(await mistakes(yaml, { recipes: { 'r.yaml': 'stage: {}\nparams: { c: 1 }\n' } }), [
    'PARAM_CYCLE 3:6',
    'PARAM_UNKNOWN 7:29',
    'PARAM_UNKNOWN 8:15',
    'OUTPUT_UNKNOWN 8:30',
    'KEY_UNKNOWN 9:5',
    'PROGRAM_MISSING 11:10',
    'OUTPUT_UNKNOWN 12:14',
    'INPUT_MISSING 12:24',
    'NAME_RESERVED 14:3',
    'KEY_UNKNOWN 1:1',
  ])
})

it('loads chains of 20,000 stages and matrices of 10,000 cells, in whatever order they are written', async () => {
  const count = 20_000
  const link = (i: number): string => `  s${i}: { cmd: [node], ${i === 0 ? '' : `in: { x: s${i - 1}.o }, `}out: [o] }`
  const chain = ['version: 1', 'stages:', ...Array.from({ length: count }, (_, i) => link(count - 1 - i)), ''].join(
    '\n',
  )
  const { stages } = await loaded(chain)
  assert.deepEqual([stages.length, stages[0]?.id, stages.at(-1)?.id], [count, 's0', `s${count - 1}`])
  const values = Array.from({ length: 10_000 }, (_, i) => i).join(',')
  const cells = `version: 1
params: { v: [${values}] }
stages:
  p: { cmd: [node, '\${matrix.v}'], matrix: { v: '\${v}' }, with: { v: '\${matrix.v}' }, out: [o] }
  q: { cmd: [node], matrix: { v: '\${v}' }, in: { x: p.o }, out: [o] }
  r: { cmd: [node], in: { x: q.o } }
`
  const gathered = (await loaded(cells)).stages.at(-1)!.in.x!
  assert.equal(gathered.kind === 'gather' && Object.keys(gathered.cells).length, 10_000)
  const closed = chain.replace('s0: { cmd: [node], ', `s0: { cmd: [node], in: { x: s${count - 1}.o }, `)
  assert.deepEqual(
    (await failures(closed)).map(({ code }) => code),
    ['STAGE_CYCLE'],
  )
})

it('says what it cannot read', async () => {
  const result = await load('version: 1\nstages: {}\n', { recipes: { 'r.yaml': '- 1\n' } })
  assert.equal(result.ok, false)
})
