import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { editDistance, nearest } from '../../lib/util/nearest.ts'
import { failures, loaded, mistakes, plain, withParams } from './configuration.ts'
import type { More } from './configuration.ts'

/** A file with these parameters, and one stage whose `with` is this. */
const file = (params: string, parameters: string): string =>
  `version: 1\nparams: ${params}\nstages:\n  s: { cmd: [node], with: ${parameters} }\n`
const resolved = async (params: string, parameters: string, more?: More): Promise<unknown> =>
  plain((await loaded(file(params, parameters), more)).stages[0]!.with)
const messageOf = async (params: string, parameters: string): Promise<string> =>
  (await failures(file(params, parameters)))[0]!.message

describe('${}', () => {
  it('takes a value with its type, a subtree, and stands inside a text', async () => {
    assert.deepEqual(await resolved('{ a: { b: 1.0, c: [x, null] } }', '{ v: "${a.b}", w: "${a}", t: "<${a.b}>" }'), {
      v: 1,
      w: { b: 1, c: ['x', null] },
      t: '<1>',
    })
    assert.deepEqual(await resolved('{ a: { b: 1 } }', '"${a}"'), { b: 1 })
    assert.deepEqual(await resolved('{ a: 1e0, b: true }', '{ v: "${a}${b}" }'), { v: '1true' })
  })

  it('goes through parameters that are references themselves', async () => {
    assert.deepEqual(await resolved('{ a: "${b}", b: { c: "${d}" }, d: 7 }', '{ v: "${a.c}" }'), { v: 7 })
  })

  it('leaves $${} as literal text, also when another parameter refers to it', async () => {
    assert.deepEqual(await resolved('{ a: "$${b}", b: 1 }', '{ v: "${a} ${b} $5 $${}" }'), { v: '${b} 1 $5 ${}' })
  })

  it('names the nearest parameter for one that is not there, at its place', async () => {
    assert.match(
      await messageOf('{ distill: { temperature: 2 } }', '{ v: "${distill.temprature}" }'),
      /Did you mean "\$\{distill\.temperature\}"\?/,
    )
    assert.match(await messageOf('{ a: { xyz: 2 } }', '{ v: "${a.b}" }'), /There is: a\.xyz\./)
    assert.deepEqual(await mistakes(file('{ a: 1 }', '{ v: "text ${a} and ${b}" }')), ['PARAM_UNKNOWN 4:47'])
    assert.match(await messageOf('{ a: 1 }', '{ v: "${a} ${in.x}" }'), /stands in `cmd` alone/)
    assert.match(await messageOf('{ a: 1 }', '{ v: "${a} ${matrix.x}" }'), /This stage has no `matrix`/)
    for (const bad of ['${', '${}', '${a', '${a..b}', '${ }']) {
      assert.deepEqual(await mistakes(withParams('1', `\${p} ${bad}`)), ['REFERENCE_INVALID 7:22'], bad)
    }
  })

  it('names a cycle by its path, and reports it once', async () => {
    assert.match(await messageOf('{ a: "${b}", b: "${c}", c: "${a}" }', '{}'), /cycle: b → c → a → b/)
    assert.deepEqual(
      (await failures(file('{ a: "${a.b}" }', '{ v: "${a}" }'))).map(({ code }) => code),
      ['PARAM_CYCLE'],
    )
    assert.deepEqual(
      (await failures(file('{ a: { x: "${a}" } }', '{ v: "${a}" }'))).map(({ code }) => code),
      ['PARAM_CYCLE'],
    )
    assert.deepEqual(await resolved('{ a: { x: "${a.y}", y: 1 } }', '"${a}"'), { x: 1, y: 1 })
  })

  it('does not put a map or null inside a text', async () => {
    assert.deepEqual(await mistakes(file('{ a: { b: 1 }, n: null }', '{ v: "x${a}", w: "x${n}" }')), [
      'REFERENCE_INVALID 4:34',
      'REFERENCE_INVALID 4:46',
    ])
  })

  it('gives a notice, and no more, for parameters that nothing uses', async () => {
    const { notices } = await loaded(
      file('{ a: { b: 1, c: { d: 2, e: 3 } }, f: 4, g: 5 }', '{ v: "${a.b}", w: "${g}" }'),
    )
    assert.deepEqual(
      notices.map(({ code, message }) => [code, /parameter "([^"]+)"/.exec(message)?.[1]]),
      [
        ['PARAM_UNUSED', 'a.c'],
        ['PARAM_UNUSED', 'f'],
      ],
    )
  })

  it('knows where each value was written', async () => {
    const yaml =
      'version: 1\nparams:\n  a: { t: 2 }\nstages:\n  s:\n    cmd: [node]\n    with: { x: "${a.t}", y: 3, z: "${a}" }\n'
    const places = (await loaded(yaml, { recipes: { 'r.yaml': 'params:\n  a:\n    t: 5\n' } })).stages[0]!.places()
    const words = (name: string): string =>
      `${places[name]?.file ?? ''}:${places[name]?.line ?? 0}:${places[name]?.column ?? 0}`
    assert.deepEqual(['with.x', 'with.y', 'with.z.t', 'cmd'].map(words), [
      'r.yaml:3:8',
      'pipeline.yaml:7:29',
      'r.yaml:3:8',
      'pipeline.yaml:6:5',
    ])
  })
})

describe('recipes and --set', () => {
  const base = `version: 1
params: { a: { x: 1, y: [1, 2], z: null }, b: 2 }
stages:
  s: { cmd: [node], in: { i: input.txt }, with: "\${a}", out: [o] }
  t: { cmd: [node], with: { b: "\${b}" } }
`
  it('merges maps by key, replaces lists and scalars, and removes by null', async () => {
    const recipes = {
      'r/one.yaml': 'params: { a: { x: 5, y: [3], n: { m: 1, k: null } } }\n',
      'r/two.yaml': 'params: { a: { x: 6 }, b: null }\nstages: { t: null, s: { in: { i: data } } }\n',
    }
    const { stages, files, params } = await loaded(base, { recipes })
    assert.deepEqual(
      stages.map(({ id }) => id),
      ['s'],
    )
    assert.deepEqual(plain(stages[0]!.with), { x: 6, y: [3], z: null, n: { m: 1 } })
    // paths of a recipe are relative to pipeline.yaml, wherever the recipe lies
    assert.deepEqual(plain(stages[0]!.in), { i: { kind: 'path', path: 'data' } })
    assert.deepEqual(files, ['pipeline.yaml', 'r/one.yaml', 'r/two.yaml'])
    assert.deepEqual(plain(params), { a: { x: 6, y: [3], z: null, n: { m: 1 } } })
  })

  it('refuses in a recipe what it cannot say, at its place there', async () => {
    const [failure] = await failures(base, { recipes: { 'r.yaml': 'stagess: {}\n' } })
    assert.deepEqual([failure?.code, failure?.place?.file], ['KEY_UNKNOWN', 'r.yaml'])
    const [wrong] = await failures(base, { recipes: { 'r.yaml': 'stages: { s: { timeout: [] } }\n' } })
    assert.deepEqual([wrong?.code, wrong?.place?.file, wrong?.place?.column], ['VALUE_INVALID', 'r.yaml', 25])
  })

  it('sets a parameter over all, typed as YAML', async () => {
    const set = async (...sets: string[]): Promise<unknown> => plain((await loaded(base, { sets })).stages[0]!.with)
    assert.deepEqual(await set('a.x=1e1', 'a.y=[7]'), { x: 10, y: [7], z: null })
    assert.deepEqual(await set("a.x='10'"), { x: '10', y: [1, 2], z: null })
    assert.deepEqual(await set('a.x=b=c'), { x: 'b=c', y: [1, 2], z: null })
    assert.deepEqual(await set('a={x: 2}'), { x: 2, y: [1, 2], z: null })
    assert.deepEqual(await set('a.x=null'), { y: [1, 2], z: null })
    assert.deepEqual(await set('a.x=1', 'a.x=2'), { x: 2, y: [1, 2], z: null })
  })

  it('sets only what is there: a slip must not pass in silence', async () => {
    const code = async (set: string): Promise<string> => (await failures(base, { sets: [set] }))[0]!.code
    for (const slip of ['a.w=1', 'c=1', 'a.x.y=1', 'a={w: 1}', '__proto__.x=1', 'constructor=1'])
      assert.equal(await code(slip), 'PARAM_UNKNOWN', slip)
    for (const bad of ['a', '=1', 'a.=1', 'a.x=', '.a=1']) assert.equal(await code(bad), 'SET_INVALID', bad)
    assert.equal(await code('a.x=[1'), 'YAML_SYNTAX')
  })
})

it('finds the name that was most likely meant, and none where none is near', () => {
  assert.equal(nearest('temprature', ['temperature', 'alpha']), 'temperature')
  assert.equal(nearest('isze', ['size', 'item']), 'size')
  assert.equal(nearest('X', ['y']), 'y')
  assert.equal(nearest('alpha', ['temperature', 'rate']), undefined)
  assert.deepEqual([editDistance('', 'abc'), editDistance('abc', 'acb'), editDistance('kitten', 'sitting')], [3, 1, 3])
})
