import { describe, sizeOf } from './tensor.ts'
import type { DType, OpName, Shape, Tensor } from './tensor.ts'

/** A wrong shape or dtype is our own bug: it throws, naming the op and what it was given. */
export function mismatch(op: OpName, inputs: readonly Tensor[], expected: string): never {
  throw new Error(`Internal error: "${op}" of ${inputs.map(describe).join(' and ') || 'nothing'}: ${expected}`)
}

/** NumPy's rule: trailing axes are aligned, and a length of 1 stretches. Undefined where the shapes do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length)
  const shape: number[] = []
  for (let axis = 0; axis < rank; axis++) {
    const m = a[axis - rank + a.length] ?? 1
    const n = b[axis - rank + b.length] ?? 1
    if (m !== n && m !== 1 && n !== 1) return undefined
    shape.push(m === 1 ? n : m)
  }
  return shape
}

/** The axes along which `from` was stretched to become `to`, counted in `to`. */
export function stretchedAxes(from: Shape, to: Shape): number[] {
  const missing = to.length - from.length
  return to.flatMap((length, axis) => (axis < missing || (from[axis - missing] === 1 && length !== 1) ? [axis] : []))
}

export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  return shape.flatMap((length, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [length]))
}

/** Axes as increasing non-negative numbers; all of them where none were given. */
export function normaliseAxes(rank: number, axes: readonly number[] | undefined): number[] {
  const all = axes ?? Array.from({ length: rank }, (_, axis) => axis)
  const positive = all.map((axis) => (axis < 0 ? axis + rank : axis))
  if (positive.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank)) {
    throw new Error(`Internal error: axes [${all.join(',')}] of a tensor of rank ${rank}`)
  }
  return [...new Set(positive)].sort((a, b) => a - b)
}

export function expectCount(op: OpName, inputs: readonly Tensor[], count: number): void {
  if (inputs.length !== count) mismatch(op, inputs, `expected ${count} inputs`)
}

export function expectType(op: OpName, inputs: readonly Tensor[], index: number, ...types: DType[]): void {
  const input = inputs[index]
  if (!input || !types.includes(input.dtype)) {
    mismatch(op, inputs, `expected input ${index} to be ${types.join(' or ')}`)
  }
}

export function expectShape(shape: Shape): void {
  if (shape.some((length) => !Number.isInteger(length) || length < 1) || !Number.isSafeInteger(sizeOf(shape))) {
    throw new Error(`Internal error: [${shape.join(',')}] is no shape: lengths are positive integers`)
  }
}
