import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { compareExactly, compareFiles } from '../../lib/util/compare-files.ts'
import { toHalf } from '../../lib/util/half.ts'
import { EXACT } from '../../lib/util/tolerance.ts'
import type { Tolerance } from '../../lib/util/tolerance.ts'

const folder = mkdtempSync(join(tmpdir(), 'compare-'))
after(() => rmSync(folder, { recursive: true }))

type Content = string | Uint8Array

function files(expected: Content, found: Content): [string, string] {
  const paths = [join(folder, 'expected'), join(folder, 'found')] as [string, string]
  writeFileSync(paths[0], expected)
  writeFileSync(paths[1], found)
  return paths
}

/** `within`, or `place: expected, found`. */
function compared(expected: Content, found: Content, tolerance: Tolerance): string {
  const result = compareFiles(...files(expected, found), tolerance)
  if (result.within) return `within ${Number(result.largest.toPrecision(3))}`
  return `${result.first.place}: ${result.first.expected}, ${result.first.found}`
}

const near = (absolute: number, relative = 0): Tolerance => ({ absolute, relative })

it('numbers in JSON are near enough or not; all else must be the same', () => {
  const cases: [string, string, Tolerance, string][] = [
    ['{"a": 1}', '{ "a": 1.5 }', near(0.5), 'within 0.5'],
    ['{"a": 1}', '{"a": 1.5}', near(0.49), 'a: 1, 1.5'],
    ['{"a": {"b": [0, 100]}}', '{"a": {"b": [0, 101]}}', near(0, 0.01), 'within 1'],
    ['{"a": {"b": [0, 100]}}', '{"a": {"b": [0, 101.1]}}', near(0, 0.01), 'a.b[1]: 100, 101.1'],
    ['[0]', '[1e-9]', near(0, 1), '[0]: 0, 1e-9'],
    ['{"a": 1, "b": "x"}', '{"b": "x", "a": 1}', EXACT, 'within 0'],
    ['{"a": 1, "b": "x"}', '{"a": 1, "b": "y"}', near(9), 'b: "x", "y"'],
    ['{"a": 1}', '{"a": "1"}', near(9), 'a: 1, "1"'],
    ['{"a": 1}', '{"a": null}', near(9), 'a: 1, null'],
    ['{"a": 1}', '{}', near(9), 'a: 1, none'],
    ['[1]', '[1, 2]', near(9), '[1]: none, 2'],
    ['[1, 2]', '[1]', near(9), '[1]: 2, none'],
    ['{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2.1}\n', near(0.2), 'within 0.1'],
    ['{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2.3}\n', near(0.2), 'line 2, a: 2, 2.3'],
    ['1\n2\n', '1\n', near(9), 'its lines: 2, 1'],
    ['loss 1.0', 'loss 1.1', near(9), 'line 1, column 8: "0", "1"'],
    ['{"a": 1}', 'no JSON', near(9), 'line 1, column 1: "{\\"a\\": 1}", "no JSON"'],
  ]
  for (const [expected, found, tolerance, want] of cases) {
    assert.equal(compared(expected, found, tolerance), want, `${expected} and ${found}`)
  }
})

interface Tensors {
  readonly [name: string]: readonly [dtype: string, shape: readonly number[], data: ArrayBufferView]
}

function safetensors(tensors: Tensors, metadata?: Record<string, string>): Buffer {
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata }
  const parts: Buffer[] = []
  let at = 0
  for (const [name, [dtype, shape, data]] of Object.entries(tensors)) {
    const bytes = Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    header[name] = { dtype, shape, data_offsets: [at, (at += bytes.length)] }
    parts.push(bytes)
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, ...parts])
}

it('floats of safetensors are near enough or not, in every type, wherever they lie in the file', () => {
  const floats = new Float32Array([1, -2, 3, 4, 5, 6])
  const off = floats.map((value, i) => (i === 4 ? value + 0.25 : value))
  const types: [string, (values: Float32Array) => ArrayBufferView][] = [
    ['F32', (values) => values],
    ['F64', (values) => new Float64Array(values)],
    ['F16', (values) => toHalf(values)],
    ['BF16', (values) => new Uint16Array(values.buffer.slice(0)).filter((_, i) => i % 2 === 1)],
  ]
  for (const [dtype, encode] of types) {
    const [a, b] = [floats, off].map((values) => safetensors({ w: [dtype, [2, 3], encode(values)] }))
    assert.equal(compared(a!, b!, near(0.25)), 'within 0.25', dtype)
    assert.equal(compared(a!, b!, near(0, 0.05)), 'within 0.25', dtype)
    assert.equal(compared(a!, b!, near(0.2)), 'tensor "w" [1, 1]: 5, 5.25', dtype)
  }
  const ids = new BigInt64Array([1n, 2n])
  const one = safetensors({ w: ['F32', [6], floats], ids: ['I64', [2], ids] }, { made: 'here' })
  const other = (ids: BigInt64Array, made = 'here'): Buffer =>
    safetensors({ ids: ['I64', [2], ids], w: ['F32', [6], off] }, { made })
  assert.equal(compared(one, other(ids), near(1)), 'within 0.25')
  assert.equal(
    compared(one, other(new BigInt64Array([1n, 3n])), near(1)),
    'tensor "ids": I64 as recorded, other values',
  )
  assert.equal(compared(one, other(ids, 'there'), near(1)), 'its metadata: {"made":"here"}, {"made":"there"}')
  const reshaped = safetensors({ w: ['F32', [2, 3], floats], ids: ['I64', [2], ids] }, { made: 'here' })
  assert.equal(compared(one, reshaped, near(1)), 'tensor "w": F32 [6], 24 bytes, F32 [2, 3], 24 bytes')
  assert.match(
    compared(one, safetensors({ w: ['F32', [6], off] }, { made: 'here' }), near(1)),
    /^tensor "ids": I64 .*, none$/,
  )
  // cut short, it is bytes
  assert.match(compared(one, other(ids).subarray(0, -1), near(1)), /^byte \d+: [0-9a-f]+, [0-9a-f]+$/)
})

it('what is not a number is near itself alone; a large tensor is compared to its last chunk', () => {
  const odd = new Float32Array([Number.NaN, Infinity, -Infinity, 0])
  const tensor = (data: Float32Array): Buffer => safetensors({ w: ['F32', [data.length], data] })
  assert.equal(
    compared(tensor(odd), tensor(new Float32Array([Number.NaN, Infinity, -Infinity, -0])), near(1)),
    'within 0',
  )
  assert.equal(
    compared(tensor(odd), tensor(odd.map((value, i) => (i === 0 ? 1 : value))), near(9)),
    'tensor "w" [0]: NaN, 1',
  )
  assert.equal(
    compared(tensor(odd), tensor(odd.map((value, i) => (i === 1 ? 1 : value))), near(9)),
    'tensor "w" [1]: Infinity, 1',
  )
  const large = new Float32Array(700_001)
  const changed = large.map((value, i) => (i === 700_000 ? 1e-3 : value))
  assert.equal(compared(tensor(large), tensor(changed), near(1e-2)), 'within 0.001')
  assert.match(compared(tensor(large), tensor(changed), near(1e-4)), /^tensor "w" \[700000\]: 0, 0\.001/)
})

it('the first place at which bytes differ has a name in JSON and tensors, a line in texts, a number in the rest', () => {
  const first = (expected: Content, found: Content): string | undefined => {
    const result = compareExactly(...files(expected, found))
    return result.within ? undefined : `${result.first.place}: ${result.first.expected}, ${result.first.found}`
  }
  assert.equal(first('a\nb', 'a\nb'), undefined)
  assert.equal(first('{"a": 1}', '{"a": 2}'), 'a: 1, 2')
  assert.equal(first('{"a": 1}', '{"a":1}'), 'line 1, column 6: " 1}", "1}"')
  assert.equal(first('a\nbc\nd', 'a\nbx\nd'), 'line 2, column 2: "c\\nd", "x\\nd"')
  assert.equal(first('a\nb', 'a\nb\n'), 'line 2, column 2: its end, "\\n"')
  assert.equal(first(new Uint8Array([0, 1, 2]), new Uint8Array([0, 1, 3])), 'byte 2: 02, 03')
  const long = 'x\n'.repeat(600_000)
  assert.equal(first(`${long}1x`, `${long}2x`), 'line 600001, column 1: "1x", "2x"')
})
