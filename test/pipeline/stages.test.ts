import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { failures, loaded, mistakes, plain, stage } from './configuration.ts'

const stages = (...lines: string[]): string => `version: 1\nstages:\n${lines.map((line) => `  ${line}\n`).join('')}`
const byId = async (yaml: string): Promise<Map<string, Stage>> =>
  new Map((await loaded(yaml)).stages.map((each) => [each.id, each]))
const messageOf = async (yaml: string): Promise<string> => (await failures(yaml))[0]!.message

describe('a matrix', () => {
  const grid = stages(
    'p: { cmd: [node], matrix: { a: [x, y], n: { one: 1.0, half: 0.5 } }, with: { n: "${matrix.n}", t: "${matrix.a}!" }, out: [o] }',
    'same: { cmd: [node], matrix: { n: [half, one], a: [y, x] }, in: { i: p.o } }',
    'one: { cmd: [node], matrix: { n: [half] }, in: { i: p.o } }',
    'other: { cmd: [node], matrix: { b: [1] }, in: { i: p.o } }',
    'none: { cmd: [node], in: { i: p.o, j: "p[y,half].o" } }',
  )
  it('makes a cell of each combination, in the order written, with typed values', async () => {
    const all = await byId(grid)
    assert.deepEqual([...all.keys()].slice(0, 4), ['p[x,one]', 'p[x,half]', 'p[y,one]', 'p[y,half]'])
    assert.deepEqual(plain(all.get('p[y,half]')?.with), { n: 0.5, t: 'y!' })
    assert.deepEqual(plain(all.get('p[y,half]')?.cell), { a: 'y', n: 'half' })
  })

  it('matches shared axes by name whatever their order, and gathers the others', async () => {
    const all = await byId(grid)
    const input = (id: string, name = 'i'): unknown => plain(all.get(id)?.in[name])
    const ref = (cell: string): unknown => ({ stage: `p[${cell}]`, output: 'o' })
    assert.deepEqual(input('same[half,y]'), { kind: 'stage', stage: 'p[y,half]', output: 'o' })
    assert.deepEqual(input('one[half]'), { kind: 'gather', cells: { x: ref('x,half'), y: ref('y,half') } })
    const whole = { 'x,one': ref('x,one'), 'x,half': ref('x,half'), 'y,one': ref('y,one'), 'y,half': ref('y,half') }
    assert.deepEqual(input('none'), { kind: 'gather', cells: whole })
    assert.deepEqual(input('other[1]'), { kind: 'gather', cells: whole })
    assert.deepEqual(input('none', 'j'), { kind: 'stage', stage: 'p[y,half]', output: 'o' })
  })

  it('takes sources as values of an axis', async () => {
    const all = await byId(
      stages(
        'p: { cmd: [node], out: [o] }',
        'm: { cmd: [node], matrix: { k: { a: p.o, b: input.txt } }, in: { i: "${matrix.k}" } }',
      ),
    )
    assert.deepEqual([all.get('m[a]')?.in.i?.kind, all.get('m[b]')?.in.i?.kind], ['stage', 'path'])
  })

  it('refuses values that name no cell, and readers of cells that are not there', async () => {
    const axis = (values: string): string => stages(`p: { cmd: [node], matrix: { a: ${values} }, out: [o] }`)
    for (const values of [
      '[1, 1.0]',
      "[1, '1']",
      '["a,b"]',
      '["a/b"]',
      '[".."]',
      '[""]',
      '[null]',
      '[[1]]',
      '[__proto__]',
    ]) {
      assert.deepEqual(
        (await failures(axis(values))).map(({ code }) => code),
        ['MATRIX_INVALID'],
        values,
      )
    }
    for (const values of ['[]', '{}', '1'])
      assert.deepEqual(
        (await failures(axis(values))).map(({ code }) => code),
        ['VALUE_INVALID'],
        values,
      )
    const reader = (line: string): Promise<string> => messageOf(axis('[x, y]') + `  r: { cmd: [node], ${line} }\n`)
    assert.match(await reader('matrix: { a: [z] }, in: { i: p.o }'), /"p" has no cell with a "z"/)
    assert.match(await reader('in: { i: "p[xx].o" }'), /Did you mean "p\[x\]\.o"\?/)
    assert.match(
      await reader('matrix: { b: [1] }, with: { v: "${matrix.c}" }'),
      /names nothing in the matrix\. Did you mean "b"\?/,
    )
    assert.match(await messageOf(`${axis('[x, y]')}metrics: p.o\n`), /Name a cell/)
  })
})

const DIGEST = 'ab'.repeat(32)

describe('inputs', () => {
  it('takes outputs, paths, built-in and pinned sources', async () => {
    const yaml = stages(
      'p: { cmd: [node], out: [o] }',
      's:',
      '  cmd: [node]',
      '  in: { a: p.o, b: data/a.txt, c: "file:data", d: input.txt, h: hub:o/r@main, w: "https://example.org/x#sha256=DIGEST" }'.replace(
        'DIGEST',
        DIGEST,
      ),
    )
    const inputs = (await byId(yaml)).get('s')!.in
    assert.deepEqual(plain(inputs), {
      a: { kind: 'stage', stage: 'p', output: 'o' },
      b: { kind: 'path', path: 'data/a.txt' },
      c: { kind: 'path', path: 'data' },
      d: { kind: 'path', path: 'input.txt' },
      h: { kind: 'string', value: 'hub:o/r@main' },
      w: { kind: 'string', value: `https://example.org/x#sha256=${DIGEST}` },
    })
  })

  it('says what a wrong source most likely meant', async () => {
    const said = (source: string): Promise<string> =>
      messageOf(stages('distill: { cmd: [node], out: [model] }', `s: { cmd: [node], in: { a: "${source}" } }`))
    assert.match(await said('distil.model'), /no stage "distil" and no file .* Did you mean "distill\.model"\?/)
    assert.match(await said('distill.modle'), /no output "modle"\. Did you mean "distill\.model"\?/)
    assert.match(await said('distill'), /is a stage, not one of its outputs\. .*distill\.model/)
    assert.match(await said('inptu.txt'), /no file "inptu\.txt"\. Did you mean "input\.txt"\?/)
    assert.match(await said('file:data/b.txt'), /no file or folder "data\/b\.txt"\. Did you mean "data\/a\.txt"\?/)
    assert.match(await said('builtin:nothing-like-it'), /nothing built in by .*\. Built in: .*builtin:teacher/)
    assert.match(await said('builtin:wolrd'), /nothing built in by the name "wolrd"\. Did you mean "builtin:world"\?/)
    assert.match(await said('hub:owner/repo'), /Write hub:OWNER\/REPO@REVISION/)
    assert.match(await said('https://example.org/x'), /has no digest.*sha256sum FILE/)
  })

  it('refuses an input that holds outputs, or lies among them', async () => {
    const root = mkdtempSync(join(tmpdir(), 'config-'))
    mkdirSync(join(root, 'artifacts'))
    for (const source of ['.', '..', 'artifacts', './artifacts/', root, '/']) {
      writeFileSync(join(root, 'pipeline.yaml'), stages(`s: { cmd: [node], in: { a: "file:${source}" }, out: [o] }`))
      const result = await loadPipeline({ file: join(root, 'pipeline.yaml'), overlays: [], sets: [] })
      assert.deepEqual(result.ok ? [] : result.error.map(({ code }) => code), ['INPUT_HOLDS_OUTPUTS'], source)
    }
  })
})

describe('outputs', () => {
  it('are named files, each with a place of its own in the result', async () => {
    assert.deepEqual(plain((await loaded(stage('out: [a, b: b.html, c: c/d]'))).stages[0]?.out), {
      a: 'a',
      b: 'b.html',
      c: 'c/d',
    })
    for (const clash of ['[a, a]', '[a, b: a]', '[a: x, b: x/y]', '[a: x/y, b: x]', '[a: X, b: x]']) {
      assert.deepEqual(
        (await failures(stage(`out: ${clash}`))).map(({ code }) => code),
        ['OUTPUT_COLLISION'],
        clash,
      )
    }
  })

  it('stay inside the folder of the result, and off its own files', async () => {
    for (const outside of ['..', '.', '../x', '/x', 'x/../y', 'x//y', 'manifest.json', 'log.txt', 'C:x', 'a\\b']) {
      assert.deepEqual(
        (await failures(stage(`out: [a: '${outside}']`))).map(({ code }) => code),
        ['OUTPUT_INVALID'],
        outside,
      )
    }
    assert.deepEqual(await mistakes(stage('out: [__proto__, constructor: x]')), [
      'NAME_RESERVED 5:11',
      'NAME_RESERVED 5:22',
    ])
    assert.deepEqual(
      (await failures(stage('out: [{ a: x, b: y }]'))).map(({ code }) => code),
      ['VALUE_INVALID'],
    )
  })
})

describe('cmd', () => {
  it('keeps each argument whole, whatever its values hold', async () => {
    const odd = 'a b "c" \'d\'\n$(e) `f` ; *'
    const yaml = `version: 1
params: { odd: ${JSON.stringify(odd)}, n: 1.0 }
stages:
  s:
    cmd: [node, "x \${odd} y", "\${in.i}", "--o=\${out.o}", "\${with.m}", "\${with.m.k}\${n}", 7, "$\${in.i}"]
    in: { i: input.txt }
    with: { m: { k: "\${odd}" } }
    out: [o]
`
    const { program } = (await loaded(yaml)).stages[0]!
    assert.deepEqual(plain(program), {
      kind: 'command',
      argv: [
        [{ kind: 'text', text: 'node' }],
        [{ kind: 'text', text: `x ${odd} y` }],
        [{ kind: 'in', name: 'i' }],
        [
          { kind: 'text', text: '--o=' },
          { kind: 'out', name: 'o' },
        ],
        [{ kind: 'with', value: { k: odd } }],
        [
          { kind: 'with', value: odd },
          { kind: 'text', text: '1' },
        ],
        [{ kind: 'text', text: '7' }],
        [{ kind: 'text', text: '${in.i}' }],
      ],
    })
  })

  it('refuses names that the stage does not have', async () => {
    const said = (argument: string): Promise<string> =>
      messageOf(stages(`s: { cmd: [node, "${argument}"], in: { text: input.txt }, with: { size: 1 }, out: [model] }`))
    assert.match(await said('${in.txet}'), /Did you mean "text"\?/)
    assert.match(await said('${out.modle}'), /Did you mean "model"\?/)
    assert.match(await said('${with.sise}'), /Did you mean "size"\?/)
  })
})

describe('order', () => {
  it('puts each stage after what it reads, else as written', async () => {
    const yaml = stages(
      'c: { cmd: [node], in: { x: b.o } }',
      'a: { cmd: [node], out: [o] }',
      'b: { cmd: [node], in: { x: a.o }, out: [o] }',
      'd: { cmd: [node] }',
    )
    assert.deepEqual([...(await byId(yaml)).keys()], ['a', 'b', 'c', 'd'])
  })

  it('names a cycle by its path, at an input in it', async () => {
    const yaml = stages(
      'a: { cmd: [node], in: { x: c.o }, out: [o] }',
      'b: { cmd: [node], in: { x: a.o }, out: [o] }',
      'c: { cmd: [node], in: { x: b.o }, out: [o] }',
    )
    assert.match(await messageOf(yaml), /a → c → b → a/)
    assert.deepEqual(await mistakes(yaml), ['STAGE_CYCLE 3:25'])
    assert.match(await messageOf(stages('a: { cmd: [node], in: { x: a.o }, out: [o] }')), /a → a/)
  })
})
