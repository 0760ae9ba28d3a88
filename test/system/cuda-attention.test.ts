import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { AttentionShape, Mask, Tiling } from '../../lib/engine/cuda/attention/shape.ts'
import type { Device } from '../../lib/engine/cuda/device.ts'
import type { CudaPrecision } from '../../lib/engine/precision.ts'
import type { Added } from '../engine/cuda/attention-reference.ts'
import { Rig, distances, kernelsOf } from '../engine/cuda/attention-rig.ts'
import type { Chosen } from '../engine/cuda/attention-rig.ts'
import { HostDevice } from '../engine/cuda/host-device.ts'
import { programOf } from './debian.ts'

// The kernels of attention, compiled by g++ and run on the CPU, where copies come as late, and disturb as early, as they may.

const compiler = programOf('g++')
// a kernel's text may be the same with two precisions, and what it calls another
const open = (): Device => new HostDevice(compiler)
const devices: Readonly<Record<CudaPrecision, Device>> = { bf16: open(), fp32: open(), tf32: open() }
after(() => {
  for (const device of Object.values(devices)) device.dispose()
})

interface Case {
  readonly length: number
  readonly width: number
  readonly window?: number
  readonly all?: true
  readonly documents?: readonly number[]
  readonly blind?: true
  readonly tilings?: Chosen
  /** Parts of a token that q, k and v lie in. */
  readonly parts?: number
  readonly scale?: number
}

const tile = (queries: number, keys: number, warps: number): Tiling => ({ queries, keys, warps })
const small: Chosen = { forward: tile(64, 64, 4), queryGradient: tile(64, 64, 4), keyGradients: tile(64, 64, 4) }
/** Two groups of 16 rows for each warp. */
const tall: Chosen = { forward: tile(128, 64, 4), queryGradient: tile(128, 32, 4), keyGradients: tile(32, 128, 4) }
const many: Chosen = { forward: tile(128, 64, 8), queryGradient: tile(128, 64, 8), keyGradients: tile(64, 128, 8) }
const narrow: Chosen = { forward: tile(32, 16, 2), queryGradient: tile(16, 32, 1), keyGradients: tile(32, 16, 1) }

const cases: readonly Case[] = [
  { length: 1, width: 64 },
  { length: 7, width: 16, parts: 3 },
  { length: 64, width: 64, parts: 3 },
  { length: 100, width: 64, tilings: tall },
  { length: 100, width: 128 },
  { length: 130, width: 128, tilings: many, parts: 3 },
  { length: 256, width: 64, tilings: tall, parts: 3 },
  { length: 256, width: 32, tilings: many },
  { length: 130, width: 32, tilings: narrow },
  { length: 65, width: 80, parts: 4 },
  { length: 130, width: 64, window: 1 },
  { length: 200, width: 64, window: 64, tilings: tall },
  { length: 256, width: 32, window: 65, parts: 3 },
  { length: 130, width: 16, window: 40, tilings: narrow },
  // a window that ends at the first, and one at the last, of a tile's entries
  { length: 140, width: 16, window: 66 },
  { length: 140, width: 16, window: 79 },
  { length: 100, width: 64, window: 300 },
  { length: 64, width: 16, all: true },
  { length: 100, width: 48, all: true, parts: 3 },
  { length: 130, width: 64, all: true, tilings: tall },
  { length: 100, width: 64, documents: [30, 1, 40], parts: 3 },
  { length: 130, width: 32, documents: [64, 3], tilings: tall },
  { length: 100, width: 16, documents: [50], window: 20 },
  { length: 100, width: 32, documents: [33], all: true },
  { length: 100, width: 64, blind: true, scale: 1 },
  { length: 130, width: 32, blind: true, window: 24, tilings: tall },
  { length: 70, width: 16, blind: true, all: true },
]

/** With tf32 only the products are others. */
const some = cases.filter((_, n) => n % 3 === 1)

for (const precision of ['bf16', 'fp32', 'tf32'] as const) {
  describe(`attention on the host with products of ${precision}`, () => {
    for (const one of precision === 'tf32' ? some : cases) {
      const { tilings = small, ...rest } = one
      it(`is as in float64: ${JSON.stringify(rest)}`, () => {
        check(one, tilings, precision)
      })
    }

    it('gives the same bytes again', () => {
      const [first, second] = [1, 2].map(() => bytesOf(shapeOf({ length: 130, width: 32, parts: 3 }, precision)))
      assert.deepEqual(first, second)
    })
  })
}

describe('attention on the host', () => {
  it('refuses a shape for which there is no kernel', () => {
    const refused = (change: Partial<AttentionShape>): void => {
      const shape = { ...shapeOf({ length: 64, width: 64 }, 'bf16'), ...change }
      assert.throws(() => kernelsOf(shape, small), /^Error: Internal error: no attention is written for \{"batch":2/)
    }
    for (const width of [8, 72, 144]) refused({ width })
    refused({ pitches: { q: 132 } })
    refused({ precision: 'fp32', pitches: { q: 130 } })
    refused({ pitches: { dk: 64 } })
    refused({ causal: false, window: 3 })
    refused({ scale: -1 })
    assert.throws(
      () => kernelsOf(shapeOf({ length: 64, width: 64 }, 'bf16'), { ...small, forward: tile(96, 64, 4) }),
      /4 warps/,
    )
  })
})

function shapeOf({ length, width, window, all, parts = 1, scale }: Case, precision: CudaPrecision): AttentionShape {
  const [batch, heads] = [2, 2]
  const pitch = parts * heads * width
  const pitches =
    parts === 1
      ? {}
      : {
          q: pitch,
          k: pitch,
          v: pitch,
          dq: pitch,
          dk: pitch,
          dv: pitch,
          o: heads * width + (precision === 'bf16' ? 8 : 4),
        }
  const common = { batch, heads, length, width, scale: scale ?? 1 / Math.sqrt(width), window, mask: undefined, pitches }
  return { ...common, precision, causal: all === undefined }
}

function bytesOf(shape: AttentionShape): unknown {
  const rig = new Rig(devices[shape.precision], shape)
  for (const launch of rig.launches(kernelsOf(shape, tall))) launch()
  rig.download()
  const found = (['o', 'dq', 'dk', 'dv'] as const).map((name) => rig.read(name, 1, 1))
  rig.free()
  return found
}

function check(one: Case, tilings: Chosen, precision: CudaPrecision): void {
  const device = devices[precision]
  const { mask, ids, added } = maskOf(one)
  const shape = { ...shapeOf(one, precision), mask }
  const rig = new Rig(device, shape)
  const address = device.allocate(ids.byteLength)
  device.upload(address, ids)
  for (const launch of rig.launches(kernelsOf(shape, tilings), mask ? [address] : [])) launch()
  rig.download()
  assert.equal(rig.strayed(), 0, 'something is written between the tokens')
  for (const [b, h] of [
    [0, 1],
    [1, 0],
  ] as const) {
    // prettier-ignore
    for (const { what, worst, typical } of distances(rig, shape, tilings, b, h, added[b]!)) {
      assert.ok(worst <= 1, `${what} of ${b}, ${h} is off by ${worst} of what rounding explains`)
      assert.ok(typical <= 1, `${what} of ${b}, ${h} is off by ${typical} of what is allowed beside the same roundings`)
    }
  }
  rig.free()
  device.free(address)
}

/** Documents of each length, the second row of the batch with those of the first turned round; the rest is one more. */
function maskOf({ length, documents, blind }: Case): {
  mask: Mask | undefined
  ids: Int32Array
  added: readonly Added[]
} {
  const ids = new Int32Array(2 * length)
  ;[documents ?? [], (documents ?? []).toReversed()].forEach((row, b) => {
    let at = 0
    row.forEach((size, id) => {
      ids.fill(id + 1, b * length + at, b * length + at + size)
      at += size
    })
  })
  const declarations = ['const int* __restrict__ p0']
  if (blind) {
    // every third query sees nothing, and nobody the first 66 keys
    const value = 'i % 3 == 1 || j < 66 + p0[0] ? -1e9f : 0.0f'
    const hides: Added = (i, j) => (i % 3 === 1 || j < 66 ? -1e9 : 0)
    return { mask: { lines: [], value, declarations }, ids, added: [hides, hides] }
  }
  const lines = [`const int* row = p0 + b * ${length};`, 'const bool same = row[i] == row[j];']
  const mask = documents && { lines, value: 'same ? 0.0f : -1e9f', declarations }
  const same =
    (b: number): Added =>
    (i, j) =>
      ids[b * length + i] === ids[b * length + j] ? 0 : -1e9
  return { mask, ids, added: documents ? [same(0), same(1)] : [() => 0, () => 0] }
}
