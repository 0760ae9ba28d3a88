import type { TensorValue } from '../engine/engine.ts'
import {
  add,
  after,
  cast,
  greaterEqual,
  input,
  mul,
  reshape,
  sizeOf,
  slice,
  square,
  sub,
  where,
} from '../graph/index.ts'
import type { Shape, Tensor } from '../graph/index.ts'
import { Random } from '../util/random.ts'
import type { GptConfig } from './config.ts'

// B rows · T tokens in a row · C width · H heads · N columns of a mask

/**
 * x with some of its entries 0 and the others larger by as much, so that the mean over all masks is x itself. What is
 * computed again from `source` for the derivative has its mask computed again, too.
 */
export type Drop = (place: string, x: Tensor, source?: Tensor) => Tensor

export const nothingDropped: Drop = (_, x) => x

/** A prime: sums of a product and two numbers below it, and their squares, are exact in float32. */
const modulus = 2039
/** A little more than 1 / modulus, so that a multiple's quotient is never rounded to below it. */
const inverse = Math.fround((1 + 2 ** -24) / modulus)

/**
 * Dropout (Srivastava et al. 2014) of x (B, T, C), or of shares (B, H, T, T), whose mask is computed from a few numbers that
 * are fed: u = r[b,t] s[n] + q[b,t] + p[n] modulo a prime, in whole numbers, which all engines compute alike. Over r, s, q and
 * p any two entries of u are independent (Carter and Wegman 1979); an entry is kept by u², lest rows of which one is the
 * other plus a number be kept alike. A rate's share is met to 1/2039.
 */
export function dropping(rate: number): Drop {
  const { least, scale } = keeping(rate)
  return (place, x, source) => {
    const u = hashed(place, x.shape, source)
    return where(greaterEqual(remainder(square(u)), least), mul(x, scale), 0)
  }
}

/** What `dropping` is fed for the micro-batch `part` of a step: a function of these alone. */
export function dropFeeds(
  config: GptConfig,
  [B, T]: readonly [number, number],
  at: { readonly seed: number; readonly step: number; readonly part: number },
): Record<string, TensorValue> {
  const random = new Random(at.seed, `dropout of step ${at.step}, part ${at.part}`)
  const drawn = (count: number): TensorValue => ({
    shape: [count],
    data: Float32Array.from({ length: count }, () => random.below(modulus)),
  })
  return Object.fromEntries(columnsOf(config, T).map(([place, N]) => [feedName(place), drawn(2 * (B * T + N))]))
}

/** A layer's places are named after it. */
export const inLayer =
  (drop: Drop, layer: number): Drop =>
  (place, x, source) =>
    drop(layerPlace(layer, place), x, source)

const layerPlace = (layer: number, place: string): string => `${layer}.${place}`
const feedName = (place: string): string => `dropout/${place}`

/** All places that drop, and the columns of their masks. */
function columnsOf({ layers, width, heads }: GptConfig, T: number): [place: string, columns: number][] {
  const within = Object.entries({ attention: heads * T, output: width, mlp: width })
  const inside = Array.from({ length: layers }, (_, layer) =>
    within.map(([place, N]): [string, number] => [layerPlace(layer, place), N]),
  )
  return [['embedding', width], ...inside.flat()]
}

/** u, whole numbers from 0 to below the prime: of x's shape. */
function hashed(place: string, shape: Shape, source: Tensor | undefined): Tensor {
  const { rows, columns } = framesOf(shape)
  const [R, N] = [sizeOf(rows), sizeOf(columns)]
  const fed = input(feedName(place), [2 * (R + N)])
  const drawn = source ? after(fed, source) : fed
  const part = (start: number, like: Shape): Tensor => reshape(slice(drawn, [start], [sizeOf(like)]), like)
  const [r, q, s, p] = [part(0, rows), part(R, rows), part(2 * R, columns), part(2 * R + N, columns)]
  return remainder(add(add(mul(r, s), q), p))
}

/** Of a mask's rows and columns, shapes that stretch to x. */
function framesOf(shape: Shape): { readonly rows: Shape; readonly columns: Shape } {
  if (shape.length === 3) return { rows: [shape[0]!, shape[1]!, 1], columns: [shape[2]!] }
  const [B, H, T, S] = shape as readonly [number, number, number, number]
  return { rows: [B, 1, T, 1], columns: [H, 1, S] }
}

/** Of whole numbers from 0 to below 2²²: their quotients' rounding never reaches the next whole number. */
const remainder = (x: Tensor): Tensor => sub(x, mul(cast(cast(mul(x, inverse), 'int32'), 'float32'), modulus))

/** The least square that is kept, so that the share of those below is nearest to the rate; some are, and some are not. */
function keeping(rate: number): { readonly least: number; readonly scale: number } {
  const squares = Array.from({ length: modulus }, (_, u) => (u * u) % modulus).sort((a, b) => a - b)
  // 0 is the square of one number, all others are of two
  const dropped = 1 + 2 * Math.min(Math.max(Math.round((rate * modulus - 1) / 2), 0), (modulus - 3) / 2)
  return { least: squares[dropped]!, scale: modulus / (modulus - dropped) }
}
