import assert from 'node:assert/strict'
import {
  mkdtempSync,
  openSync,
  closeSync,
  ftruncateSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Checkpoint } from '../../lib/data/checkpoint.ts'
import { readSafetensors } from '../../lib/data/safetensors.ts'
import type { TensorData } from '../../lib/data/safetensors-write.ts'
import { writeSafetensors } from '../../lib/data/safetensors-write.ts'
import { Failure } from '../../lib/util/failure.ts'

const fixtures = join(import.meta.dirname, '../fixtures/data')
const temporary = mkdtempSync(join(tmpdir(), 'safetensors-'))
after(() => rmSync(temporary, { recursive: true }))

describe('reading safetensors', () => {
  it('reads what the reference wrote: every dtype, with subnormals, signed zero, infinities and NaN', () => {
    const checkpoint = opened(join(fixtures, 'dtypes.safetensors'))
    const expected = JSON.parse(readFileSync(join(fixtures, 'dtypes.json'), 'utf8')) as Record<
      string,
      { shape: number[]; bits: number[] }
    >
    assert.deepEqual(checkpoint.names, Object.keys(expected).sort())
    for (const [name, { shape, bits }] of Object.entries(expected)) {
      const tensor = checkpoint.tensor(name)
      assert.deepEqual(tensor.shape, shape, name)
      assert.deepEqual([...oneNaN(tensor.data())], [...oneNaN(new Float32Array(Uint32Array.from(bits).buffer))], name)
    }
    assert.equal(checkpoint.metadata.get('made by'), 'make.py')
  })

  it('gives a tensor of its own at each call, and its bytes as they are', () => {
    const checkpoint = opened(join(fixtures, 'dtypes.safetensors'))
    checkpoint.tensor('scalar').data()[0] = 9
    assert.deepEqual(checkpoint.tensor('scalar').data(), Float32Array.of(0.5))
    assert.deepEqual(checkpoint.tensor('i32').bytes().slice(0, 4), Uint8Array.of(0, 0, 0, 128))
  })

  it('reads a tensor beyond 4 GB without what lies before it', () => {
    const far = 5_000_000_000
    const file = join(temporary, 'sparse.safetensors')
    const header = { big: entry('U8', [far], [0, far]), after: entry('F32', [2], [far, far + 8]) }
    const start = writeFile(file, header, 0)
    const fd = openSync(file, 'r+')
    ftruncateSync(fd, start + far + 8) // a hole on the disk: it takes no space
    writeSync(fd, new Uint8Array(Float32Array.of(1.5, -2).buffer), 0, 8, start + far)
    closeSync(fd)
    assert.deepEqual(opened(file).tensor('after').data(), Float32Array.of(1.5, -2))
  })

  it('names the tensor that is not there, and some that are', () => {
    const checkpoint = opened(join(fixtures, 'dtypes.safetensors'))
    assert.throws(() => checkpoint.tensor('wte.weight'), {
      code: 'TENSOR_MISSING',
      message: /"wte\.weight".*it has 10 \(/,
    })
    assert.equal(checkpoint.has('wte.weight'), false)
  })

  it('notices a file that is cut short after it was opened', () => {
    const file = join(temporary, 'shrinking.safetensors')
    writeFile(file, { a: entry('F32', [4], [0, 16]) }, 16)
    const tensor = opened(file).tensor('a')
    writeFileSync(file, readFileSync(file).subarray(0, -1))
    assert.throws(() => tensor.data(), { code: 'SAFETENSORS_TRUNCATED', message: /"a"/ })
  })
})

describe('a damaged safetensors file is refused by name', () => {
  const good = { a: entry('F32', [2], [0, 8]), b: entry('F16', [2], [8, 12]) }
  const cases: [string, unknown, number, string, RegExp][] = [
    ['cut in its last tensor', good, 11, 'SAFETENSORS_TRUNCATED', /tensor "b" ends at byte/],
    ['bytes after the last tensor', good, 13, 'SAFETENSORS_HOLE', /1 bytes after tensor "b"/],
    [
      'overlapping tensors',
      { ...good, b: entry('F16', [2], [6, 10]) },
      10,
      'SAFETENSORS_OVERLAP',
      /"b" overlaps tensor "a" by 2/,
    ],
    [
      'one tensor inside another',
      { ...good, b: entry('F16', [2], [0, 4]) },
      8,
      'SAFETENSORS_OVERLAP',
      /"a" overlaps tensor "b"/,
    ],
    [
      'a hole between tensors',
      { ...good, b: entry('F16', [2], [9, 13]) },
      13,
      'SAFETENSORS_HOLE',
      /between tensor "a" and tensor "b"/,
    ],
    [
      'a hole before the first',
      { a: entry('F32', [2], [4, 12]) },
      12,
      'SAFETENSORS_HOLE',
      /between the header and tensor "a"/,
    ],
    [
      'offsets that do not fit the shape',
      { a: entry('F32', [3], [0, 8]) },
      8,
      'SAFETENSORS_INVALID',
      /"a" \(F32 \[3\]\) needs 12/,
    ],
    ['offsets in reverse', { a: entry('F32', [2], [8, 0]) }, 8, 'SAFETENSORS_INVALID', /"a"/],
    ['a negative length', { a: entry('F32', [-2], [0, 8]) }, 8, 'SAFETENSORS_INVALID', /shape \[-2\]/],
    ['a fractional offset', { a: entry('F32', [2], [0.5, 8.5]) }, 9, 'SAFETENSORS_INVALID', /data_offsets/],
    ['an unknown dtype', { a: entry('F4', [2], [0, 1]) }, 1, 'SAFETENSORS_INVALID', /dtype "F4", expected one of BOOL/],
    ['a dtype that an object has', { a: entry('toString', [2], [0, 1]) }, 1, 'SAFETENSORS_INVALID', /"toString"/],
    [
      'a shape whose product overflows',
      { a: entry('U8', [2 ** 40, 2 ** 40], [0, 8]) },
      8,
      'SAFETENSORS_INVALID',
      /needs/,
    ],
    ['metadata that are no strings', { __metadata__: { a: 1 } }, 0, 'SAFETENSORS_INVALID', /__metadata__/],
    ['a header that is a list', [], 0, 'SAFETENSORS_INVALID', /not a JSON object/],
  ]
  for (const [what, header, bytes, code, message] of cases) {
    it(what, () => {
      const file = join(temporary, 'bad.safetensors')
      writeFile(file, header, bytes)
      const failure = refused(file)
      assert.equal(failure.code, code, failure.message)
      assert.match(failure.message, message)
      assert.ok(failure.message.includes(file))
    })
  }

  const raw: [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(0), 'SAFETENSORS_TRUNCATED'],
    ['a header that is cut short', Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 123), 'SAFETENSORS_TRUNCATED'],
    ['a header length of 2^32 + 2', Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0, 123, 125), 'SAFETENSORS_INVALID'],
    ['a header that is no JSON', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 123), 'SAFETENSORS_INVALID'],
    ['a header that is no UTF-8', Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 34, 0xff, 0xff, 34), 'SAFETENSORS_INVALID'],
  ]
  for (const [what, bytes, code] of raw) {
    it(what, () => {
      const file = join(temporary, 'raw.safetensors')
      writeFileSync(file, bytes)
      assert.equal(refused(file).code, code)
    })
  }

  it('a file that is not there', () => {
    assert.equal(refused(join(temporary, 'nothing')).code, 'FILE_MISSING')
  })
})

describe('writing safetensors', () => {
  const tensors = new Map<string, TensorData>([
    ['b', tensor([2, 2], [1, -0, 2 ** -24, NaN])],
    ['a', { shape: [], data: Int32Array.of(-7) }],
    ['é', tensor([0], [])],
  ])

  for (const dtype of ['F32', 'F16'] as const) {
    it(`gives the same tensors back: ${dtype}`, () => {
      const file = join(temporary, `written-${dtype}.safetensors`)
      writeSafetensors(file, tensors, { dtype })
      const checkpoint = opened(file)
      assert.deepEqual(checkpoint.tensor('b').data(), Float32Array.of(1, -0, 2 ** -24, NaN))
      assert.equal(checkpoint.tensor('b').dtype, dtype)
      assert.equal(checkpoint.tensor('a').dtype, 'I32')
      assert.deepEqual(checkpoint.tensor('a').data(), Float32Array.of(-7))
      assert.deepEqual(checkpoint.tensor('é').shape, [0])
    })
  }

  it('gives the same bytes in whatever order tensors and metadata come', () => {
    const [one, two] = [join(temporary, 'one.safetensors'), join(temporary, 'two.safetensors')]
    writeSafetensors(one, tensors, { dtype: 'F16', metadata: { x: '1', y: '2' } })
    writeSafetensors(two, new Map([...tensors].reverse()), { dtype: 'F16', metadata: { y: '2', x: '1' } })
    assert.deepEqual(readFileSync(two), readFileSync(one))
    assert.equal((readFileSync(one).readUInt32LE(0) + 8) % 8, 0, 'its data begin at a multiple of 8')
  })

  it('leaves the old file whole, and nothing else, when a value does not fit half precision', () => {
    const folder = mkdtempSync(join(temporary, 'atomic-'))
    const file = join(folder, 'model.safetensors')
    writeSafetensors(file, tensors, { dtype: 'F32' })
    const before = readFileSync(file)
    const large = new Map([...tensors, ['c', tensor([2], [1, 65520])]])
    assert.throws(() => writeSafetensors(file, large, { dtype: 'F16' }), {
      code: 'SAFETENSORS_F16_RANGE',
      message: /"c" holds 65520/,
    })
    assert.deepEqual(readFileSync(file), before)
    assert.deepEqual(readdirSync(folder), ['model.safetensors'])
  })

  it('does not write a tensor whose values do not fill its shape', () => {
    const file = join(temporary, 'short.safetensors')
    assert.throws(
      () => writeSafetensors(file, new Map([['a', tensor([3], [1, 2])]]), { dtype: 'F32' }),
      /Internal error/,
    )
  })
})

/** The bits of the values; a NaN may have any payload. */
function oneNaN(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer).map((bits, at) => (Number.isNaN(values[at]) ? 0x7fc00000 : bits))
}

function tensor(shape: number[], values: number[]): { shape: number[]; data: Float32Array } {
  return { shape, data: Float32Array.from(values) }
}

function entry(dtype: string, shape: number[], offsets: [number, number]): object {
  return { dtype, shape, data_offsets: offsets }
}

/** Writes a header and so many bytes of zero; returns where they begin. */
function writeFile(file: string, header: unknown, bytes: number): number {
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  writeFileSync(file, Buffer.concat([length, json, Buffer.alloc(bytes)]))
  return 8 + json.length
}

function opened(path: string): Checkpoint {
  const result = readSafetensors(path)
  if (!result.ok) throw result.error
  return result.value
}

function refused(path: string): Failure {
  const result = readSafetensors(path)
  assert.ok(!result.ok, 'it was read')
  assert.ok(result.error instanceof Failure)
  return result.error
}
