import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { folded, lengthOf, refusedByWindows, shortened } from '../../lib/pipeline/file-names.ts'
import { linkPath } from '../../lib/pipeline/link.ts'
import { failures, loaded, mistakes } from './configuration.ts'
import { shell, stage } from './rig.ts'

const DEVICES = [
  'con',
  'PRN',
  'Aux',
  'nul',
  'COM1',
  'lpt9',
  'com¹',
  'LPT³',
  'CONIN$',
  'aux.txt',
  'nul.tar.gz',
  'con .x',
]
const CHARACTERS = ['a:b', 'a<b', 'a>b', 'a"b', 'a/b', 'a\\b', 'a|b', 'a?b', 'a*b', 'a\tb', 'a\u0000b', 'a\u001fb']
const ENDS = ['x.', 'x ', '..', 'a..']
const PLAIN = [
  'console',
  'com',
  'com10',
  'lpt',
  'auxiliary.txt',
  'x.con',
  '.x',
  'a b',
  'é',
  '[a]',
  'a,b',
  'nul-1',
  'x%2F',
]

const stageNamed = (name: string): string => `version: 1\nstages:\n  ${JSON.stringify(name)}: { cmd: [node] }\n`
const outputsOf = (out: unknown): string =>
  `version: 1\nstages:\n  make:\n    cmd: [node]\n    out: ${JSON.stringify(out)}\n`
const cellsOf = (matrix: unknown): string =>
  `version: 1\nstages:\n  make: { cmd: [node], matrix: ${JSON.stringify(matrix)} }\n`

describe('names that Windows refuses', () => {
  it('are told from those that it takes, with the reason', () => {
    for (const name of DEVICES) assert.match(refusedByWindows(name) ?? '', /^Windows keeps ".+" for a device/, name)
    for (const name of CHARACTERS)
      assert.match(refusedByWindows(name) ?? '', /^Windows takes no ".+" in the name/, name)
    for (const name of ENDS) assert.match(refusedByWindows(name) ?? '', /at the end/, name)
    for (const name of PLAIN) assert.equal(refusedByWindows(name), undefined, name)
  })

  it('name no stage', async () => {
    for (const name of DEVICES.filter((one) => !/[$.]/.test(one)))
      assert.deepEqual(await mistakes(stageNamed(name)), ['NAME_RESERVED 3:3'], name)
    for (const name of [...CHARACTERS, ...ENDS, 'aux.txt']) {
      const expected = name === 'aux.txt' ? 'NAME_RESERVED 3:3' : 'NAME_INVALID 3:3'
      assert.deepEqual(await mistakes(stageNamed(name)), [expected], name)
    }
    const [failure] = await failures(stageNamed('Com¹'))
    assert.match(failure!.message, /^"Com¹" cannot name a stage: Windows keeps "Com¹" for a device.* Choose another\.$/)
    assert.equal(failure!.exitCode, 2)
  })

  it('name no output, and no file of one', async () => {
    for (const name of ['con', 'aux.txt'])
      assert.deepEqual(await mistakes(outputsOf([name])), ['NAME_RESERVED 5:11'], name)
    for (const name of ['a:b', 'x.']) assert.deepEqual(await mistakes(outputsOf([name])), ['NAME_INVALID 5:11'], name)
    for (const name of [...DEVICES, ...CHARACTERS.filter((one) => one !== 'a/b'), ...ENDS]) {
      for (const file of [name, `deep/${name}`, `${name}/deep`]) {
        const { code, message } = (await failures(outputsOf([{ a: file }])))[0]!
        assert.equal(code, 'OUTPUT_INVALID', file)
        assert.match(message, /Write a name such as "model" or "report\.html"\.$/)
      }
    }
    for (const file of PLAIN) assert.equal((await loaded(outputsOf([{ a: file }]))).stages.length, 1, file)
  })

  it('name no cell, and no two cells differ in case or Unicode form alone', async () => {
    for (const name of [...DEVICES, ...CHARACTERS, ...ENDS]) {
      for (const matrix of [{ axis: [name] }, { axis: { [name]: 1 } }])
        assert.deepEqual((await failures(cellsOf(matrix))).map(({ code }) => code), ['MATRIX_INVALID'], name) // prettier-ignore
    }
    for (const two of [
      ['relu', 'ReLU'],
      ['\u00e9', 'e\u0301'],
    ]) {
      assert.deepEqual((await failures(cellsOf({ axis: two }))).map(({ code }) => code), ['NAME_COLLISION']) // prettier-ignore
    }
    const forms = 'version: 1\nstages:\n  "\u00e9": { cmd: [node] }\n  "e\u0301": { cmd: [node] }\n'
    assert.deepEqual(await mistakes(forms), ['NAME_COLLISION 4:3'])
    const files = outputsOf([{ a: 'x\u00e9' }, { b: 'xe\u0301' }])
    assert.deepEqual((await failures(files)).map(({ code }) => code), ['OUTPUT_COLLISION']) // prettier-ignore
  })
})

describe('long names', () => {
  const codes = async (yaml: string): Promise<string[]> => (await failures(yaml)).map(({ code }) => code)

  it('of stages, outputs and cells are refused, by the bytes that they have', async () => {
    for (const name of ['s'.repeat(51), 'é'.repeat(26), '教'.repeat(17)])
      assert.deepEqual(await codes(stageNamed(name)), ['NAME_INVALID'], name)
    assert.equal((await loaded(stageNamed('s'.repeat(50)))).stages.length, 1)
    assert.deepEqual(await codes(outputsOf([{ a: 'f'.repeat(77) }])), ['NAME_INVALID'])
    assert.equal((await loaded(outputsOf([{ a: 'f'.repeat(76) }]))).stages.length, 1)
    const [failure] = await failures(outputsOf([{ a: 'f'.repeat(77) }]))
    assert.match(failure!.message, /may have 80 bytes, and have 81: .* Shorten one\.$/)
    const axes = { a: ['x'.repeat(50)], b: ['y'.repeat(50)] }
    assert.deepEqual(await codes(cellsOf(axes)), ['MATRIX_INVALID'])
    assert.equal((await loaded(cellsOf({ ...axes, b: ['y'.repeat(49)] }))).stages.length, 1)
  })

  it('are cut where the pipeline makes them, and stay apart', () => {
    assert.equal(shortened('a'.repeat(40), 40), 'a'.repeat(40))
    for (const long of ['a'.repeat(41), '教'.repeat(14), '😀'.repeat(11)]) {
      const [one, other] = [shortened(`${long}1`, 40), shortened(`${long}2`, 40)]
      assert.ok(lengthOf(one) <= 40 && one !== other && !one.includes('\uFFFD'), one)
      assert.equal(Buffer.from(one).toString(), one, 'no half of a character')
    }
    const cell = linkPath('artifacts', { ...stage('s', shell('true')), cell: { axis: '教'.repeat(33) } })
    assert.ok(
      cell.split(/[\\/]/).every((name) => lengthOf(name) <= 100),
      cell,
    )
    assert.equal(folded('\u00c9'), folded('e\u0301'))
  })
})
