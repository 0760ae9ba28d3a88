import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { MatmulShape } from '../../lib/engine/cuda/device.ts'
import { openCard } from '../../lib/engine/cuda/open-card.ts'
import { fromBfloat16 } from '../../lib/util/half.ts'
import { noise } from '../engine/reference.ts'
import { download, toBfloat16, upload } from './numbers.ts'

const card = await openCard()
after(() => card.dispose())

const plain: MatmulShape = {
  ...{ batch: 1, m: 33, n: 65, k: 47, transposeA: false, transposeB: false, scale: 1, sharedA: false, sharedB: false },
  ...{ input: 'f32', output: 'f32', tf32: false, epilogue: 'none', accumulate: false },
}
const both = { transposeA: true, transposeB: true } as const
const shared = { batch: 5, sharedA: true, sharedB: true } as const
const even = { m: 64, n: 128, k: 96 } as const
const apart = { pitchA: 48, pitchB: 72, pitchC: 72 } as const
const bf16 = { input: 'bf16', output: 'bf16' } as const

const layouts: Record<string, Partial<MatmulShape>> = {
  'A·B': {},
  'Aᵀ·B': { transposeA: true },
  'A·Bᵀ': { transposeB: true },
  'Aᵀ·Bᵀ': both,
  'one row': { m: 1 },
  'one column': { n: 1 },
  'one step': { k: 1 },
  'one number': { m: 1, n: 1 },
  'sizes without a remainder': even,
  'sizes without a remainder, Aᵀ·Bᵀ': { ...even, ...both },
  'a batch': { batch: 5 },
  'a batch, Aᵀ·B': { batch: 5, transposeA: true },
  'a batch, A·Bᵀ': { batch: 5, transposeB: true },
  'a batch, Aᵀ·Bᵀ': { batch: 5, ...both },
  'a batch with one A': { batch: 5, sharedA: true },
  'a batch with one A, Aᵀ·Bᵀ': { batch: 5, sharedA: true, ...both },
  'a batch with one B': { batch: 5, sharedB: true },
  'a batch with one B, A·Bᵀ': { batch: 5, sharedB: true, transposeB: true },
  'a batch with one B, Aᵀ·B': { batch: 5, sharedB: true, transposeA: true },
  'a batch with one A and one B': shared,
  'a batch with one A and one B, Aᵀ·Bᵀ': { ...shared, ...both },
  'attention: scores': { batch: 24, m: 128, n: 128, k: 64, transposeB: true, scale: 0.125 },
  'attention: values': { batch: 24, m: 128, n: 64, k: 128 },
  'rows apart': apart,
  'rows apart, Aᵀ·Bᵀ': { ...both, pitchA: 40, pitchB: 48, pitchC: 80 },
  'rows apart in a batch': { batch: 5, ...apart },
  'rows apart in a batch with one B': { batch: 5, sharedB: true, ...apart },
  'rows of the result apart, added to what is there': { pitchC: 72, accumulate: true },
  'a long sum': { m: 16, n: 24, k: 20_000 },
  'a big one': { m: 300, n: 1000, k: 777 },
}

const endings: Record<string, Partial<MatmulShape>> = {
  'a scale': { scale: -0.37 },
  'added to what is there': { accumulate: true },
  'a scale, added to what is there, in a batch': { scale: 3, accumulate: true, batch: 5 },
  'a bias': { epilogue: 'bias' },
  'a bias, sizes without a remainder': { epilogue: 'bias', ...even },
  'a bias in a batch': { epilogue: 'bias', batch: 5 },
  'a bias in a batch with one B': { epilogue: 'bias', batch: 5, sharedB: true },
  'a bias after a scale, added to what is there': { epilogue: 'bias', scale: 0.5, accumulate: true },
  'a bias, Aᵀ·Bᵀ': { epilogue: 'bias', ...both },
  'GELU of a bias': { epilogue: 'bias-gelu' },
  'GELU of a bias, sizes without a remainder': { epilogue: 'bias-gelu', ...even },
  'GELU of a bias in a batch with one B, A·Bᵀ': { epilogue: 'bias-gelu', batch: 5, sharedB: true, transposeB: true },
  'GELU of a bias after a scale': { epilogue: 'bias-gelu', scale: 0.1 },
}

const types: Record<string, Partial<MatmulShape>> = {
  f32: {},
  tf32: { tf32: true },
  'bf16 to f32': { input: 'bf16' },
  bf16,
}

for (const [type, types_] of Object.entries(types)) {
  describe(`products in ${type}`, () => {
    for (const [name, change] of Object.entries({ ...layouts, ...endings })) {
      it(name, () => check({ ...plain, ...types_, ...change }))
    }
  })
}

describe('products', () => {
  it('from f32 to bf16', () => check({ ...plain, output: 'bf16' }))

  it('give the same bytes each time, the sum split or not', () => {
    for (const shape of [
      { ...plain, m: 16, n: 24, k: 20_000 },
      { ...plain, ...bf16, m: 128, n: 256, k: 4096 },
    ]) {
      const first = run(shape).found
      for (let i = 0; i < 3; i++) assert.deepEqual(run(shape).found, first)
    }
  })

  it('are recorded, with the bias of each call its own', () => {
    const shape: MatmulShape = { ...plain, epilogue: 'bias', m: 4, n: 8, k: 4 }
    const matmul = card.prepare(shape)
    const [a, b] = [upload(card, new Float32Array(16)), upload(card, new Float32Array(32))]
    const [ones, twos] = [1, 2].map((value) => upload(card, new Float32Array(8).fill(value)))
    const [first, second] = [card.allocate(128), card.allocate(128)]
    const replay = card.record(() => {
      card.multiply(matmul, a, b, first, ones)
      card.multiply(matmul, a, b, second, twos)
    })
    replay.run()
    assert.deepEqual(download(card, first, 32), new Float32Array(32).fill(1))
    assert.deepEqual(download(card, second, 32), new Float32Array(32).fill(2))
    replay.dispose()
  })

  it('used for the first time while recorded run as well', () => {
    const shape: MatmulShape = { ...plain, ...bf16, m: 520, n: 264, k: 392, transposeA: true }
    const { a, b, c } = operands(shape)
    const matmul = card.prepare(shape)
    const replay = card.record(() => card.multiply(matmul, a, b, c))
    replay.run()
    const replayed = download(card, c, shape.m * shape.n, 'bf16')
    card.multiply(matmul, a, b, c)
    assert.deepEqual(replayed, download(card, c, shape.m * shape.n, 'bf16'))
    replay.dispose()
  })

  it('that cuBLASLt cannot compute are told with their shape', () => {
    assert.throws(() => card.prepare({ ...plain, n: 2 ** 40 }), {
      code: 'DEVICE_FAILED',
      message: /^there is no algorithm for the product \{.*"n":1099511627776.*\}: .*(CUBLAS_STATUS_|knows none)/,
    })
  })

  it('of another kind of device, of operands that lie askew, or with a bias that nobody adds are refused', () => {
    const matmul = card.prepare(plain)
    assert.throws(() => card.multiply(matmul, 256, 260, 512), /Internal error: 260 is no multiple of 16/)
    assert.throws(() => card.multiply(matmul, 256, 256, 512, 256), /Internal error: a bias is given/)
    assert.throws(
      () => card.multiply({ shape: plain }, 256, 256, 512),
      /Internal error: this product is none of a card/,
    )
    const biased = card.prepare({ ...plain, epilogue: 'bias' })
    assert.throws(() => card.multiply(biased, 256, 256, 512), /Internal error: a bias is given/)
  })
})

/** Against sums in doubles: the error that each type may make, in terms of Σ|a·b| and of what comes out. */
function check(shape: MatmulShape): void {
  const { found, values } = run(shape)
  const { expected, sizes } = reference(shape, values)
  const ofSum = shape.tf32 ? 2 ** -10 : 2e-6
  const ofResult = shape.output === 'bf16' ? 2 ** -8 : 1e-6
  const { m, n, pitchC = n } = shape
  found.forEach((value, place) => {
    const [row, column] = [Math.floor(place / pitchC), place % pitchC]
    if (column >= n) {
      assert.equal(value, values.c[place], 'what lies between the rows is changed')
      return
    }
    const i = row * n + column
    const allowed = ofSum * sizes[i]! + ofResult * Math.abs(expected[i]!) + 1e-7
    const error = Math.abs(value - expected[i]!) / allowed
    if (!(error <= 1)) {
      assert.fail(
        `[${row % m}, ${column}] is ${value}, expected ${expected[i]}: ${error.toFixed(2)} times the error allowed`,
      )
    }
  })
}

interface Values {
  readonly a: Float32Array
  readonly b: Float32Array
  readonly c: Float32Array
  readonly bias: Float32Array
}

function operands(shape: MatmulShape): { a: number; b: number; c: number; bias: number; values: Values } {
  const { batch, m, n, sharedA, sharedB, input, output, pitchC = n } = shape
  const { a: heldA, b: heldB } = held(shape)
  const make = (count: number, seed: number, type: 'f32' | 'bf16'): Float32Array => {
    const values = Float32Array.from(noise([count], seed).data)
    return type === 'f32' ? values : fromBfloat16(toBfloat16(values))
  }
  const values = {
    a: make((sharedA ? 1 : batch) * heldA.rows * heldA.pitch, 1, input),
    b: make((sharedB ? 1 : batch) * heldB.rows * heldB.pitch, 2, input),
    c: make(batch * m * pitchC, 3, output),
    bias: make(n, 4, output),
  }
  const [a, b] = [upload(card, values.a, input), upload(card, values.b, input)]
  return { a, b, c: upload(card, values.c, output), bias: upload(card, values.bias, output), values }
}

interface Held {
  readonly rows: number
  readonly pitch: number
}

/** What lies between the rows is noise as well, and must not count. */
function held({ m, n, k, transposeA, transposeB, pitchA, pitchB }: MatmulShape): {
  readonly a: Held
  readonly b: Held
} {
  const [a, b] = [
    transposeA ? { rows: k, width: m } : { rows: m, width: k },
    transposeB ? { rows: n, width: k } : { rows: k, width: n },
  ]
  return { a: { rows: a.rows, pitch: pitchA ?? a.width }, b: { rows: b.rows, pitch: pitchB ?? b.width } }
}

function run(shape: MatmulShape): { found: Float32Array; values: Values } {
  const { a, b, c, bias, values } = operands(shape)
  const matmul = card.prepare(shape)
  if (shape.epilogue === 'none') card.multiply(matmul, a, b, c)
  else card.multiply(matmul, a, b, c, bias)
  const found = download(card, c, values.c.length, shape.output)
  for (const address of [a, b, c, bias]) card.free(address)
  return { found, values }
}

/** What is to come out, and Σ|a·b| of each number: what the errors of a sum grow with. */
function reference(shape: MatmulShape, { a, b, c, bias }: Values): { expected: Float64Array; sizes: Float64Array } {
  const { batch, m, n, k, transposeA, transposeB, sharedA, sharedB, scale, epilogue, accumulate, pitchC = n } = shape
  const { a: heldA, b: heldB } = held(shape)
  const expected = new Float64Array(batch * m * n)
  const sizes = new Float64Array(batch * m * n)
  for (let i = 0; i < expected.length; i++) {
    const [item, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n]
    const [startA, startB] = [sharedA ? 0 : item * heldA.rows, sharedB ? 0 : item * heldB.rows]
    for (let step = 0; step < k; step++) {
      const left = a[(startA + (transposeA ? step : row)) * heldA.pitch + (transposeA ? row : step)]!
      const right = b[(startB + (transposeB ? column : step)) * heldB.pitch + (transposeB ? step : column)]!
      expected[i]! += scale * left * right
      sizes[i]! += Math.abs(scale * left * right)
    }
    const before = accumulate ? c[(item * m + row) * pitchC + column]! : 0
    expected[i]! += before
    if (epilogue !== 'none') expected[i]! += bias[column]!
    if (epilogue === 'bias-gelu') expected[i] = gelu(expected[i]!)
    // what is added makes errors of its own size
    sizes[i]! += Math.abs(before) + (epilogue === 'none' ? 0 : Math.abs(bias[column]!))
  }
  return { expected, sizes }
}

/** 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
}
