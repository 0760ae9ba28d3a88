import { apply } from './apply.ts'
import type { ComputeType, DType, Shape, Tensor } from './tensor.ts'

/** What an elementwise function takes: a number stands for a scalar of the other operand's dtype. */
export type Operand = Tensor | number

/** A value given anew at each run. */
export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor =>
  apply('input', [], { name, shape, dtype })

/** A value that the engine keeps between runs, in its `Memory`. */
export const state = (name: string, shape: Shape, dtype: ComputeType = 'float32'): Tensor =>
  apply('state', [], { name, shape, dtype })

/**
 * A constant: a number, stretched to `shape`, or the elements of `shape` in row-major order (a vector where no shape
 * is given). `bool` is written as 0 and 1. The data must not be changed afterwards.
 */
export function constant(
  value: number | readonly number[] | Float32Array | Int32Array,
  shape?: Shape,
  dtype: ComputeType = value instanceof Int32Array ? 'int32' : 'float32',
): Tensor {
  if (typeof value !== 'number') {
    return apply('constant', [], { data: typed(value, dtype), shape: shape ?? [value.length], dtype })
  }
  const scalar = apply('constant', [], { data: typed([value], dtype), shape: [], dtype })
  return shape === undefined || shape.length === 0 ? scalar : broadcastTo(scalar, shape)
}

/** int32 counting up from 0 along `axis`. */
export const iota = (shape: Shape, axis: number): Tensor =>
  apply('iota', [], { shape, axis: axis < 0 ? axis + shape.length : axis })

export const neg = (x: Tensor): Tensor => apply('neg', [x], {})
export const exp = (x: Tensor): Tensor => apply('exp', [x], {})
export const log = (x: Tensor): Tensor => apply('log', [x], {})
export const sqrt = (x: Tensor): Tensor => apply('sqrt', [x], {})
/** 1/√x */
export const rsqrt = (x: Tensor): Tensor => apply('rsqrt', [x], {})
export const tanh = (x: Tensor): Tensor => apply('tanh', [x], {})
export const square = (x: Tensor): Tensor => apply('square', [x], {})
export const abs = (x: Tensor): Tensor => apply('abs', [x], {})
/** The tanh form, `gelu_new`: ½x(1 + tanh(√(2/π)(x + 0.044715x³))), Hendrycks and Gimpel, arXiv:1606.08415 */
export const gelu = (x: Tensor): Tensor => apply('gelu', [x], {})
/** The derivative of `gelu` at x, an op of its own so that an engine may fuse it. */
export const geluDerivative = (x: Tensor): Tensor => apply('geluDerivative', [x], {})
export const not = (x: Tensor): Tensor => apply('not', [x], {})
export const pow = (x: Tensor, exponent: number): Tensor => apply('pow', [x], { exponent })
/** To bool: other than 0. To int32: towards 0. */
export const cast = (x: Tensor, dtype: ComputeType): Tensor => (x.dtype === dtype ? x : apply('cast', [x], { dtype }))
/** x, whose derivative is taken as 0. */
export const stopGradient = (x: Tensor): Tensor => apply('stopGradient', [x], {})

export const add = (a: Operand, b: Operand): Tensor => apply('add', operands(a, b), {})
export const sub = (a: Operand, b: Operand): Tensor => apply('sub', operands(a, b), {})
export const mul = (a: Operand, b: Operand): Tensor => apply('mul', operands(a, b), {})
export const div = (a: Operand, b: Operand): Tensor => apply('div', operands(a, b), {})
export const maximum = (a: Operand, b: Operand): Tensor => apply('maximum', operands(a, b), {})
export const minimum = (a: Operand, b: Operand): Tensor => apply('minimum', operands(a, b), {})
export const equal = (a: Operand, b: Operand): Tensor => apply('equal', operands(a, b), {})
export const less = (a: Operand, b: Operand): Tensor => apply('less', operands(a, b), {})
export const lessEqual = (a: Operand, b: Operand): Tensor => apply('lessEqual', operands(a, b), {})
export const greater = (a: Operand, b: Operand): Tensor => apply('greater', operands(a, b), {})
export const greaterEqual = (a: Operand, b: Operand): Tensor => apply('greaterEqual', operands(a, b), {})
export const and = (a: Tensor, b: Tensor): Tensor => apply('and', [a, b], {})
export const or = (a: Tensor, b: Tensor): Tensor => apply('or', [a, b], {})
/** `a` where `condition`, else `b`; all three broadcast. */
export const where = (condition: Tensor, a: Operand, b: Operand): Tensor =>
  apply('where', [condition, ...operands(a, b)], {})

/** NumPy's broadcasting made explicit. */
export const broadcastTo = (x: Tensor, shape: Shape): Tensor => apply('broadcastTo', [x], { shape })

export const zeros = (shape: Shape, dtype: ComputeType = 'float32'): Tensor => constant(0, shape, dtype)

function operands(a: Operand, b: Operand): readonly [Tensor, Tensor] {
  const like = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'float32'
  const dtype = like === 'float16' ? 'float32' : like // the op refuses the tensor that is of it
  return [
    typeof a === 'number' ? constant(a, undefined, dtype) : a,
    typeof b === 'number' ? constant(b, undefined, dtype) : b,
  ]
}

function typed(data: readonly number[] | Float32Array | Int32Array, dtype: ComputeType): Float32Array | Int32Array {
  if (dtype === 'float32') return data instanceof Float32Array ? data : Float32Array.from(data)
  return data instanceof Int32Array ? data : Int32Array.from(data)
}
