import type { AttentionShape } from '../../../lib/engine/cuda/attention/shape.ts'

/** Of one head in one row of the batch: length × width entries, each a number that bf16 has. */
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

/** Half the distance of bf16's numbers, over the greater one. */
const unit = 2 ** -8
/** Of float32's sums and powers, over what is summed up. */
const slack = 2e-5

/** Rounds to bf16. */
export function bf16(x: number): number {
  scratch.setFloat32(0, x)
  const bits = scratch.getUint32(0)
  scratch.setUint32(0, ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0)
  return scratch.getFloat32(0)
}
const scratch = new DataView(new ArrayBuffer(4))

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
export function outputOf({ length, width }: AttentionShape, { v }: Head, made: Scores, keys: number): Found {
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
        for (let d = 0; d < width; d++) row[d]! += bf16(power) * v[j * width + d]!
      }
      most = now
    }
    for (let j = 0; j < length; j++) add(found, i, shares[i * length + j]!, v, j, width)
    row.forEach((x, d) => (found.rounded[i * width + d] = x / total))
  }
  return finished(found)
}

/** dq, dk and dv, with deltas of the `o` that the kernels take. */
export function gradientsOf(
  shape: AttentionShape,
  head: Head,
  made: Scores,
  o: Float64Array,
): Record<'dq' | 'dk' | 'dv', Found> {
  const { length, width, scale } = shape
  const { q, k, v, do: given } = head
  const [dq, dk, dv] = [empty(length * width), empty(length * width), empty(length * width)]
  for (let i = 0; i < length; i++) {
    const delta = dot(o, i, given, i, width)
    const size = sizeOf(o, i, given, i, width)
    for (let j = 0; j < length; j++) {
      const share = made.shares[i * length + j]!
      if (share === 0) continue
      const slope = share * (dot(given, i, v, j, width) - delta)
      const doubt = share * (sizeOf(given, i, v, j, width) + size) * slack
      add(dv, j, share, given, i, width)
      add(dq, i, scale * slope, k, j, width, scale * bf16(slope), scale * doubt)
      add(dk, j, scale * slope, q, i, width, scale * bf16(slope), scale * doubt)
    }
  }
  return { dq: finished(dq), dk: finished(dk), dv: finished(dv) }
}

const empty = (entries: number): Found => ({
  exact: new Float64Array(entries),
  rounded: new Float64Array(entries),
  bound: new Float64Array(entries),
})

/** Adds a factor times a row of `b`. */
function add(
  to: Found,
  row: number,
  factor: number,
  b: Float64Array,
  j: number,
  width: number,
  rounded = bf16(factor),
  doubt = 0,
): void {
  const most = Math.abs(factor) * (unit + slack) + doubt
  for (let d = 0; d < width; d++) {
    const x = b[j * width + d]!
    to.exact[row * width + d]! += factor * x
    to.rounded[row * width + d]! += rounded * x
    to.bound[row * width + d]! += most * Math.abs(x)
  }
}

/** The sum is rounded, too. */
function finished({ exact, rounded, bound }: Found): Found {
  exact.forEach((x, n) => (bound[n]! += unit * (Math.abs(x) + bound[n]!) + 1e-30))
  return { exact, rounded: rounded.map(bf16), bound }
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
