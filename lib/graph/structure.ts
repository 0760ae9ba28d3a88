import { apply } from './apply.ts'
import { add, cast, less, mul } from './elementwise.ts'
import { normaliseAxes } from './shapes.ts'
import { sizeOf } from './tensor.ts'
import type { Shape, Tensor } from './tensor.ts'

/** Over `axes` (negative ones count from the end), or over all. */
export const sum = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor => reduce('sum', x, axes, keepDims)
export const mean = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor => reduce('mean', x, axes, keepDims)
export const max = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor => reduce('max', x, axes, keepDims)

/** The index of the greatest entry of each row (last axis), the first of equal ones: [..., V] → [...] int32. */
export const argMax = (x: Tensor): Tensor => apply('argMax', [x], {})

/** One length may be −1: it is worked out. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((size, length) => (length === -1 ? size : size * length), 1)
  return apply('reshape', [x], { shape: shape.map((length) => (length === -1 ? sizeOf(x.shape) / known : length)) })
}

/** Axis i of the result is axis perm[i] of x. */
export const transpose = (x: Tensor, perm: readonly number[]): Tensor => apply('transpose', [x], { perm })

export const concat = (tensors: readonly Tensor[], axis: number): Tensor =>
  apply('concat', tensors, { axis: axis < 0 ? axis + (tensors[0]?.shape.length ?? 0) : axis })

/** From `starts`, `sizes` entries along each axis; −1 is all that is left. */
export const slice = (x: Tensor, starts: readonly number[], sizes: readonly number[]): Tensor =>
  apply('slice', [x], {
    starts,
    sizes: sizes.map((size, axis) => (size === -1 ? (x.shape[axis] ?? 0) - (starts[axis] ?? 0) : size)),
  })

/** Zeros before and after, along each axis. */
export const pad = (x: Tensor, before: readonly number[], after: readonly number[]): Tensor =>
  apply('pad', [x], { before, after })

/** Rows of `table` [R, ...] by `ids` (int32, of any shape): [...ids, ...]. An id outside the table fails when run. */
export const gather = (table: Tensor, ids: Tensor): Tensor => apply('gather', [table, ids], {})

/** The adjoint of `gather`: `updates` [...ids, ...] added up by row: [rows, ...]. */
export const scatterAdd = (ids: Tensor, updates: Tensor, rows: number): Tensor =>
  apply('scatterAdd', [ids, updates], { rows })

/** One entry of each row: x [..., V], ids [...] int32 → [...]. */
export const takeAlong = (x: Tensor, ids: Tensor): Tensor => apply('takeAlong', [x, ids], {})

/** The adjoint of `takeAlong`: rows of `size` zeros but for `updates` at `ids`: [...] → [..., size]. */
export const putAlong = (ids: Tensor, updates: Tensor, size: number): Tensor =>
  apply('putAlong', [ids, updates], { size })

/**
 * x with `update` in place of its entries from `start` (int32, a scalar) on along `axis`: both have the same other axes. A
 * start from which it does not fit in fails when run. As the update of the state that x is, it is written in place.
 */
export const dynamicUpdateSlice = (x: Tensor, update: Tensor, start: Tensor, axis: number): Tensor =>
  apply('dynamicUpdateSlice', [x, update, start], { axis })

export interface MatmulOptions {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  /** A factor of the product, free of charge. 1. */
  readonly scale?: number
}

/**
 * scale · A·B over the last two axes, those of a transposed operand swapped. Leading axes are equal, or b has rank 2
 * and serves them all (then `transposeA` is not taken): [..., M, K] · [..., K, N] → [..., M, N].
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, scale = 1 } = options
  const attributes = { transposeA, transposeB, scale }
  if (b.shape.length !== 2 || a.shape.length <= 2 || transposeA) return apply('matmul', [a, b], attributes)
  const rows = a.shape.slice(0, -1)
  const product = apply('matmul', [reshape(a, [sizeOf(rows), a.shape.at(-1)!]), b], attributes)
  return reshape(product, [...rows, product.shape[1]!])
}

/** Over the last axis. */
export const softmax = (x: Tensor): Tensor => apply('softmax', [x], {})
/** Over the last axis; exact where softmax underflows. */
export const logSoftmax = (x: Tensor): Tensor => apply('logSoftmax', [x], {})

/** (x − mean)/√(variance + epsilon) · gain + bias over the last axis, the variance a biased one. */
export const layerNorm = (x: Tensor, gain: Tensor, bias: Tensor, epsilon: number): Tensor =>
  apply('layerNorm', [x, gain, bias], { epsilon })

/**
 * The scalar `value`, whose derivative with respect to each pair's first tensor is said to be the second: for losses
 * that know their gradient in closed form. `value` itself is not differentiated. The gradients are computed only where
 * a derivative asks for them.
 */
export const withGradient = (value: Tensor, pairs: readonly (readonly [Tensor, Tensor])[]): Tensor =>
  apply('withGradient', [value, ...pairs.flat()], {})

/**
 * fn(inputs), of which nothing is kept for the derivative: that computes it again from the inputs, which costs its time
 * once more and no memory in between.
 */
export const recomputed = (inputs: readonly Tensor[], fn: (...inputs: readonly Tensor[]) => Tensor): Tensor =>
  apply('recomputed', [fn(...inputs), ...inputs], { fn })

/**
 * x, but not before `y` (float32) is there: an engine may compute what is ready in any order, and keep what others still
 * need. Costs a pass over x.
 */
export function after(x: Tensor, y: Tensor): Tensor {
  const [start, size] = [y.shape.map(() => 0), y.shape.map(() => 1)]
  const first = y.shape.length === 0 ? y : reshape(slice(y, start, size), []) // TensorFlow.js slices no scalar
  // not the entry itself: what has overflown would make NaN of x
  return add(x, mul(cast(less(first, 0), 'float32'), 0))
}

function reduce(op: 'sum' | 'mean' | 'max', x: Tensor, axes: readonly number[] | undefined, keepDims: boolean): Tensor {
  return apply(op, [x], { axes: normaliseAxes(x.shape.length, axes), keepDims })
}
