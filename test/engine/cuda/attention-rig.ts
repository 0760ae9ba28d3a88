import { writeDelta } from '../../../lib/engine/cuda/attention/delta.ts'
import { writeForward } from '../../../lib/engine/cuda/attention/forward.ts'
import { writeKeyGradients, writeQueryGradient } from '../../../lib/engine/cuda/attention/gradient.ts'
import type {
  AttentionKernel,
  AttentionShape,
  AttentionTensor,
  Tiling,
  TokenTensor,
} from '../../../lib/engine/cuda/attention/shape.ts'
import { pitchOf } from '../../../lib/engine/cuda/attention/shape.ts'
import { tilingsFor } from '../../../lib/engine/cuda/attention/tilings.ts'
import type { Address, Device } from '../../../lib/engine/cuda/device.ts'
import { unitOf } from '../../../lib/engine/cuda/kernels.ts'
import { Random } from '../../../lib/util/random.ts'
import { bf16, gradientsOf, outputOf, roundings, scoresOf } from './attention-reference.ts'
import type { Added, Found, Head } from './attention-reference.ts'

/** One tiling for each kernel. */
export interface Chosen {
  readonly forward: Tiling
  readonly queryGradient: Tiling
  readonly keyGradients: Tiling
}

/** Choices in which each tiling of a shape is used: the n-th of each kernel, or its first. */
export function choicesFor(shape: AttentionShape): readonly Chosen[] {
  const { forward, queryGradient, keyGradients } = tilingsFor(shape)
  const most = Math.max(forward.length, queryGradient.length, keyGradients.length)
  return Array.from({ length: most }, (_, n) => ({
    forward: forward[n] ?? forward[0]!,
    queryGradient: queryGradient[n] ?? queryGradient[0]!,
    keyGradients: keyGradients[n] ?? keyGradients[0]!,
  }))
}

/** Forward, delta, dq and then dk with dv. */
export const kernelsOf = (shape: AttentionShape, tilings: Chosen): readonly AttentionKernel[] => [
  writeForward(shape, tilings.forward),
  writeDelta(shape),
  writeQueryGradient(shape, tilings.queryGradient),
  writeKeyGradients(shape, tilings.keyGradients),
]

const inputs = ['q', 'k', 'v', 'do'] as const
const outputs = ['o', 'dq', 'dk', 'dv'] as const
/** What lies in one tensor of as many parts where the pitch is wider than the heads, in this order. */
const together: readonly (readonly TokenTensor[])[] = [['q', 'k', 'v'], ['dq', 'dk', 'dv'], ['o'], ['do']]

/** Tensors of a shape on a device: random inputs, and for what is written NaN, which is still there between the tokens. */
export class Rig {
  readonly addresses = new Map<AttentionTensor, Address>()
  private readonly held: { readonly address: Address; readonly data: Bits }[] = []
  private readonly where = new Map<TokenTensor, { readonly data: Bits; readonly from: number }>()
  private readonly device: Device
  private readonly shape: AttentionShape

  constructor(device: Device, shape: AttentionShape, seed = 1) {
    this.device = device
    this.shape = shape
    const random = new Random(seed)
    const pool = this.bits(65_537, () => random.normal())
    for (const names of together) this.place(names, pool, random.below(pool.length))
    const { batch, heads, length } = shape
    for (const name of ['logSum', 'delta'] as const)
      this.addresses.set(name, device.allocate(4 * batch * heads * length))
  }

  /** A NaN that no arithmetic makes. */
  private get blank(): number {
    return this.shape.precision === 'bf16' ? 0x7fc1 : 0x7fc10000
  }

  /** Entries as the kernels read them. */
  private bits(length: number, of: () => number): Bits {
    return this.shape.precision === 'bf16'
      ? Uint16Array.from({ length }, () => floatBits(bf16(of())) >>> 16)
      : Uint32Array.from({ length }, () => floatBits(of()))
  }

  private place(names: readonly TokenTensor[], pool: Bits, start: number): void {
    const { batch, length, heads, width } = this.shape
    const pitch = pitchOf(this.shape, names[0]!)
    const tokens = batch * length * pitch
    const isJoined = names.length > 1 && pitch >= names.length * heads * width
    const groups = isJoined ? [names] : names.map((name) => [name])
    for (const group of groups) {
      const isInput = inputs.some((name) => name === group[0])
      const data = new (this.shape.precision === 'bf16' ? Uint16Array : Uint32Array)(tokens).fill(this.blank)
      // of do, deltas are made of all bits, and dP of those that tf32 has: where they should be equal, they would not be
      const kept = this.shape.precision === 'tf32' && group[0] === 'do' ? 0xffffe000 : 0xffffffff
      if (isInput) for (let n = 0; n < tokens; n++) data[n] = pool[(start + n) % pool.length]! & kept
      const address = this.device.allocate(data.byteLength)
      this.device.upload(address, data)
      this.held.push({ address, data })
      group.forEach((name, n) => {
        this.where.set(name, { data, from: n * heads * width })
        this.addresses.set(name, address + data.BYTES_PER_ELEMENT * n * heads * width)
      })
      start = (start * 31 + 7) % pool.length
    }
  }

  /** The launches, in order, with the mask's pointers before the kernels' own. */
  launches(kernels: readonly AttentionKernel[], masks: readonly Address[] = []): readonly (() => void)[] {
    const { source, names } = unitOf(
      kernels.map(({ text }) => text),
      this.shape.precision,
    )
    const compiled = this.device.compile(source, names)
    return kernels.map(({ tensors, grid }, n) => () => {
      const own = tensors.map((name) => this.addresses.get(name)!)
      this.device.launch(compiled[n]!, grid, [
        ...(tensors.includes('delta') && tensors.length === 3 ? [] : masks),
        ...own,
      ])
    })
  }

  download(): void {
    for (const { address, data } of this.held) this.device.download(address, data)
  }

  /** Of one head, as `download` found it. */
  read(name: TokenTensor, b: number, h: number): Float64Array {
    const { length, width } = this.shape
    const { data, from } = this.where.get(name)!
    const pitch = pitchOf(this.shape, name)
    return Float64Array.from({ length: length * width }, (_, n) => {
      const token = b * length + Math.floor(n / width)
      const entry = data[token * pitch + from + h * width + (n % width)]!
      return floatOf(data.BYTES_PER_ELEMENT === 2 ? entry * 65536 : entry)
    })
  }

  /** How many entries between the tokens of what is written are no longer as they were. */
  strayed(): number {
    const { heads, width } = this.shape
    let count = 0
    for (const { data } of this.held) {
      const parts = [...this.where].filter(
        ([name, one]) => one.data === data && outputs.some((output) => output === name),
      )
      if (parts.length === 0) continue
      const pitch = pitchOf(this.shape, parts[0]![0])
      const own = parts.length * heads * width
      for (let n = 0; n < data.length; n++) if (n % pitch >= own && data[n] !== this.blank) count++
    }
    return count
  }

  floats(name: 'logSum' | 'delta', b: number, h: number): Float32Array {
    const { batch, heads, length } = this.shape
    const all = new Float32Array(batch * heads * length)
    this.device.download(this.addresses.get(name)!, all)
    return all.slice((b * heads + h) * length, (b * heads + h + 1) * length)
  }

  free(): void {
    for (const { address } of this.held) this.device.free(address)
    for (const name of ['logSum', 'delta'] as const) this.device.free(this.addresses.get(name)!)
  }
}

/** How far a tensor is off, each by its measure: over 1 is wrong. */
export interface Distance {
  readonly what: string
  /** The largest difference from the exact value, over what rounding explains. */
  readonly worst: number
  /** That from what the same roundings give, over the tensor's size, in roots of mean squares, over what is allowed. */
  readonly typical: number
}

/** What the rig has computed for one head, against float64. */
export function distances(
  rig: Rig,
  shape: AttentionShape,
  tilings: Chosen,
  b: number,
  h: number,
  added: Added,
): Distance[] {
  const { round } = roundings[shape.precision]
  const head = Object.fromEntries(inputs.map((name) => [name, rig.read(name, b, h).map(round)])) as unknown as Head
  const made = scoresOf(shape, head, added)
  const o = rig.read('o', b, h)
  const output = outputOf(shape, head, made, tilings.forward.keys)
  const gradients = gradientsOf(shape, head, made, o)
  const logSum = rig.floats('logSum', b, h)
  const worst = made.logSums.reduce(
    (most, x, i) => higher(most, Math.abs(logSum[i]! - x) / (1e-5 + 1e-6 * Math.abs(x))),
    0,
  )
  return [
    { what: 'logSum', worst, typical: 0 },
    distance('o', o, output, limit(shape, o.length)),
    ...(['dq', 'dk', 'dv'] as const).map((name) =>
      distance(name, rig.read(name, b, h), gradients[name], limit(shape, o.length)),
    ),
  ]
}

function distance(what: string, found: Float64Array, { exact, rounded, bound }: Found, most: number): Distance {
  let [worst, square, all, noise] = [0, 0, 0, 0]
  found.forEach((x, n) => {
    worst = higher(worst, Math.abs(x - exact[n]!) / bound[n]!)
    square += (x - rounded[n]!) ** 2
    all += exact[n]! ** 2
    noise += bound[n]! ** 2
  })
  // where terms cancel each other, what is left is rounding
  return { what, worst, typical: all > noise ? Math.sqrt(square / all) / most : 0 }
}

/** A few entries, or factors, may be rounded the other way: a difference in the last of their bits. */
function limit({ precision }: AttentionShape, entries: number): number {
  if (precision === 'bf16') return 4e-4 + 2 ** -6 / Math.sqrt(entries)
  return precision === 'tf32' ? 1e-4 : 2e-6
}

/** NaN is the worst. */
const higher = (a: number, b: number): number => (a >= b ? a : b)

type Bits = Uint16Array | Uint32Array

const floatBits = (x: number): number => {
  words.setFloat32(0, x)
  return words.getUint32(0)
}
const floatOf = (bits: number): number => {
  words.setUint32(0, bits)
  return words.getFloat32(0)
}
const words = new DataView(new ArrayBuffer(4))
