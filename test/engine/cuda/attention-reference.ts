import type { AttentionShape } from '../../../lib/engine/cuda/attention/shape.ts'
import type { CudaPrecision } from '../../../lib/engine/precision.ts'

/** Of one head in one row of the batch: length × width entries, each as products take it. */
export interface Head {
  readonly q: Float64Array
  readonly k: Float64Array
  readonly v: Float64Array
  readonly do: Float64Array
}

/** What is added to the score of query i and key j; −1e9 hides it. */
export type Added = (i: number, j: number) => number

/** Values as they are, those that come of operands rounded as the kernels round them, and how far off those may be. */
export interface Found {
  readonly exact: Float64Array
  readonly rounded: Float64Array
  readonly bound: Float64Array
}

/** What a precision makes of numbers, each unit half the distance of its numbers, over the greater one. */
interface Rounding {
  /** Of what products take. */
  readonly round: (x: number) => number
  readonly unit: number
  /** Of results. */
  readonly finish: (x: number) => number
  readonly last: number
  /** Of float32's sums and powers, over what is summed up. */
  readonly slack: number
}

const bits = (change: (bits: number) => number) => {
  const scratch = new DataView(new ArrayBuffer(4))
  return (x: number): number => {
    scratch.setFloat32(0, x)
    scratch.setUint32(0, change(scratch.getUint32(0)) >>> 0)
    return scratch.getFloat32(0)
  }
}
export const bf16 = bits((x) => (x + 0x7fff + ((x >>> 16) & 1)) & 0xffff0000)
const tf32 = bits((x) => (x + 0x1000) & 0xffffe000)

const single = { finish: Math.fround, last: 2 ** -24, slack: 1e-5 }
export const roundings: Readonly<Record<CudaPrecision, Rounding>> = {
  bf16: { round: bf16, unit: 2 ** -8, finish: bf16, last: 2 ** -8, slack: 2e-5 },
  tf32: { round: tf32, unit: 2 ** -11, ...single },
  fp32: { round: (x) => x, unit: 0, ...single },
}

interface Scores {
  /** Scores; −∞ where nothing is to be seen. */
  readonly scores: Float64Array
  readonly shares: Float64Array
  readonly logSums: Float64Array
}

/** Plain attention in float64. */
export function scoresOf(shape: AttentionShape, { q, k }: Head, added: Added): Scores {
  const { length, width, scale, causal, window } = shape
  const scores = new Float64Array(length * length).fill(-Infinity)
  const shares = new Float64Array(length * length)
  const logSums = new Float64Array(length)
  for (let i = 0; i < length; i++) {
    const from = window ? Math.max(0, i - window + 1) : 0
    const to = causal ? i + 1 : length
    let most = -Infinity
    for (let j = from; j < to; j++) {
      const more = added(i, j)
      const score = more < -5e8 ? more : scale * dot(q, i, k, j, width) + more
      scores[i * length + j] = score
      most = Math.max(most, score)
    }
    let sum = 0
    for (let j = from; j < to; j++) sum += shares[i * length + j] = Math.exp(scores[i * length + j]! - most)
    for (let j = from; j < to; j++) shares[i * length + j]! /= sum
    logSums[i] = most + Math.log(sum)
  }
  return { scores, shares, logSums }
}

/** o: shares are rounded as they stand when a tile of `keys` is over, over the maximum that is known by then. */
export function outputOf(shape: AttentionShape, { v }: Head, made: Scores, keys: number): Found {
  const { length, width, precision } = shape
  const { round, unit, slack } = roundings[precision]
  const { scores, shares } = made
  const found = empty(length * width)
  for (let i = 0; i < length; i++) {
    const row = new Float64Array(width)
    let [most, total] = [-1e30, 0]
    for (let start = 0; start < length; start += keys) {
      const end = Math.min(length, start + keys)
      const now = scores.subarray(i * length + start, i * length + end).reduce((a, b) => Math.max(a, b), most)
      const kept = Math.exp(most - now)
      total *= kept
      row.forEach((_, d) => (row[d]! *= kept))
      for (let j = start; j < end; j++) {
        const power = Math.exp(scores[i * length + j]! - now)
        if (power === 0) continue
        total += power
        for (let d = 0; d < width; d++) row[d]! += round(power) * v[j * width + d]!
      }
      most = now
    }
    for (let j = 0; j < length; j++) {
      const share = shares[i * length + j]!
      add(found, i, { exact: share, rounded: share, doubt: share * (unit + slack) }, v, j, width)
    }
    row.forEach((x, d) => (found.rounded[i * width + d] = x / total))
  }
  return finished(found, precision)
}

/** dq, dk and dv, with deltas of the `o` that the kernels take. */
export function gradientsOf(
  shape: AttentionShape,
  head: Head,
  made: Scores,
  o: Float64Array,
): Record<'dq' | 'dk' | 'dv', Found> {
  const { length, width, scale, precision } = shape
  const { round, unit, slack } = roundings[precision]
  const { q, k, v, do: given } = head
  const [dq, dk, dv] = [empty(length * width), empty(length * width), empty(length * width)]
  for (let i = 0; i < length; i++) {
    const delta = dot(o, i, given, i, width)
    const size = sizeOf(o, i, given, i, width)
    for (let j = 0; j < length; j++) {
      const share = made.shares[i * length + j]!
      if (share === 0) continue
      const slope = share * (dot(given, i, v, j, width) - delta)
      const doubt = share * (sizeOf(given, i, v, j, width) + size) * slack + Math.abs(slope) * (unit + slack)
      const factor = { exact: scale * slope, rounded: scale * round(slope), doubt: scale * doubt }
      add(dv, j, { exact: share, rounded: round(share), doubt: share * (unit + slack) }, given, i, width)
      add(dq, i, factor, k, j, width)
      add(dk, j, factor, q, i, width)
    }
  }
  return { dq: finished(dq, precision), dk: finished(dk, precision), dv: finished(dv, precision) }
}

const empty = (entries: number): Found => ({
  exact: new Float64Array(entries),
  rounded: new Float64Array(entries),
  bound: new Float64Array(entries),
})

/** As it is, as it is rounded, and how far off it may be. */
interface Factor {
  readonly exact: number
  readonly rounded: number
  readonly doubt: number
}

/** Adds a factor times a row of `b`. */
function add(to: Found, row: number, factor: Factor, b: Float64Array, j: number, width: number): void {
  for (let d = 0; d < width; d++) {
    const x = b[j * width + d]!
    to.exact[row * width + d]! += factor.exact * x
    to.rounded[row * width + d]! += factor.rounded * x
    to.bound[row * width + d]! += factor.doubt * Math.abs(x)
  }
}

/** The sum is rounded, too. */
function finished({ exact, rounded, bound }: Found, precision: CudaPrecision): Found {
  const { finish, last } = roundings[precision]
  exact.forEach((x, n) => (bound[n]! += last * (Math.abs(x) + bound[n]!) + 1e-30))
  return { exact, rounded: rounded.map(finish), bound }
}

function dot(a: Float64Array, i: number, b: Float64Array, j: number, width: number): number {
  let sum = 0
  for (let d = 0; d < width; d++) sum += a[i * width + d]! * b[j * width + d]!
  return sum
}
function sizeOf(a: Float64Array, i: number, b: Float64Array, j: number, width: number): number {
  let sum = 0
  for (let d = 0; d < width; d++) sum += Math.abs(a[i * width + d]! * b[j * width + d]!)
  return sum
}
