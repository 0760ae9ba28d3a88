import type { ComputeType, Shape } from '../../lib/graph/index.ts'

/** An array of doubles, row-major: the plain reference that the engines are held against. Shares nothing with them. */
export interface Nd {
  readonly shape: Shape
  readonly data: readonly number[]
  readonly dtype: ComputeType
}

export const nd = (shape: Shape, data: readonly number[], dtype: ComputeType = 'float32'): Nd => {
  if (data.length !== count(shape)) throw new Error(`[${shape.join()}] is not ${data.length} numbers`)
  return { shape, data, dtype }
}
export const ints = (shape: Shape, data: readonly number[]): Nd => nd(shape, data, 'int32')
export const bools = (shape: Shape, data: readonly number[]): Nd => nd(shape, data, 'bool')

/** Numbers without pattern between −2 and 2, at least 0.05 apart from 0. */
export function noise(shape: Shape, seed = 1): Nd {
  let bits = seed * 2654435761
  const next = (): number => {
    bits = (Math.imul(bits ^ (bits >>> 15), 2246822519) + 374761393) >>> 0
    const x = (bits / 2 ** 32) * 4 - 2
    return x + Math.sign(x) * 0.05
  }
  return nd(shape, Array.from({ length: count(shape) }, next))
}

export const count = (shape: Shape): number => shape.reduce((n, length) => n * length, 1)

/** The index along each axis of a row-major position. */
export function unravel(position: number, shape: Shape): number[] {
  const index = shape.map(() => 0)
  let rest = position
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!
    rest = Math.floor(rest / shape[axis]!)
  }
  return index
}

export const ravel = (index: readonly number[], shape: Shape): number =>
  shape.reduce((position, length, axis) => position * length + index[axis]!, 0)

/** The entry at an index of a shape that x broadcasts to. */
export function at(x: Nd, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length).map((i, axis) => (x.shape[axis] === 1 ? 0 : i))
  return x.data[ravel(own, x.shape)]!
}

/** An array from a function of the index. */
export const build = (shape: Shape, f: (index: number[]) => number): number[] =>
  Array.from({ length: count(shape) }, (_, position) => f(unravel(position, shape)))

/** f of the broadcast operands at each place. */
export function zip(f: (...x: number[]) => number, ...operands: readonly Nd[]): number[] {
  const rank = Math.max(...operands.map(({ shape }) => shape.length))
  const shape = Array.from({ length: rank }, (_, axis) =>
    Math.max(...operands.map((x) => x.shape[axis - rank + x.shape.length] ?? 1)),
  )
  return build(shape, (index) => f(...operands.map((x) => at(x, index))))
}

/** The rows of the last axis, each made anew by f. */
export function rows(x: Nd, f: (row: number[]) => number[]): number[] {
  const width = x.shape.at(-1)!
  return Array.from({ length: x.data.length / width }, (_, r) => f(x.data.slice(r * width, (r + 1) * width))).flat()
}

/** The entries along `axes`, gathered and reduced. */
export function reduce(x: Nd, axes: readonly number[], f: (entries: number[]) => number): number[] {
  const groups = new Map<string, number[]>()
  x.data.forEach((value, position) => {
    const key = unravel(position, x.shape)
      .filter((_, axis) => !axes.includes(axis))
      .join()
    groups.set(key, [...(groups.get(key) ?? []), value])
  })
  return [...groups.values()].map(f)
}

export const total = (entries: readonly number[]): number => entries.reduce((sum, x) => sum + x, 0)
export const average = (entries: readonly number[]): number => total(entries) / entries.length
