import { broadcastShapes, expectCount, expectShape, expectType, mismatch, reducedShape } from './shapes.ts'
import { sameShape, sizeOf } from './tensor.ts'
import type { Attributes, DType, OpName, Shape, Tensor } from './tensor.ts'

interface Kind {
  readonly shape: Shape
  readonly dtype: DType
}
type Inputs = readonly Tensor[]
type Rule<N extends OpName> = (inputs: Inputs, attributes: Attributes[N]) => Kind

/** The shape and dtype of every op's result, and what it takes. Throws for what does not fit. */
export const rules = {
  input: (_, { shape, dtype }) => leaf(shape, dtype),
  state: (_, { shape, dtype }) => leaf(shape, dtype),
  constant: (_, { data, shape, dtype }) => constant(data, shape, dtype),
  iota: (_, { shape, axis }) => iota(shape, axis),

  neg: (inputs) => unary('neg', inputs),
  exp: (inputs) => unary('exp', inputs),
  log: (inputs) => unary('log', inputs),
  sqrt: (inputs) => unary('sqrt', inputs),
  rsqrt: (inputs) => unary('rsqrt', inputs),
  tanh: (inputs) => unary('tanh', inputs),
  square: (inputs) => unary('square', inputs),
  abs: (inputs) => unary('abs', inputs),
  gelu: (inputs) => unary('gelu', inputs),
  geluDerivative: (inputs) => unary('geluDerivative', inputs),
  not: (inputs) => unary('not', inputs, 'bool'),
  pow: (inputs) => unary('pow', inputs),
  toHalf: (inputs) => ({ shape: unary('toHalf', inputs).shape, dtype: 'float16' }),
  cast: (inputs, { dtype }) => ({ shape: only('cast', inputs).shape, dtype }),
  stopGradient: (inputs) => only('stopGradient', inputs),

  add: (inputs) => binary('add', inputs, 'float32', 'int32'),
  sub: (inputs) => binary('sub', inputs, 'float32', 'int32'),
  mul: (inputs) => binary('mul', inputs, 'float32', 'int32'),
  div: (inputs) => binary('div', inputs, 'float32'),
  maximum: (inputs) => binary('maximum', inputs, 'float32', 'int32'),
  minimum: (inputs) => binary('minimum', inputs, 'float32', 'int32'),
  equal: (inputs) => compare('equal', inputs),
  less: (inputs) => compare('less', inputs),
  lessEqual: (inputs) => compare('lessEqual', inputs),
  greater: (inputs) => compare('greater', inputs),
  greaterEqual: (inputs) => compare('greaterEqual', inputs),
  and: (inputs) => binary('and', inputs, 'bool'),
  or: (inputs) => binary('or', inputs, 'bool'),
  where,

  sum: (inputs, { axes, keepDims }) => reduce('sum', inputs, axes, keepDims),
  mean: (inputs, { axes, keepDims }) => reduce('mean', inputs, axes, keepDims),
  max: (inputs, { axes, keepDims }) => reduce('max', inputs, axes, keepDims),
  argMax: (inputs) => ({ shape: unary('argMax', inputs, 'float32', 1).shape.slice(0, -1), dtype: 'int32' }),

  reshape: (inputs, { shape }) => {
    const x = only('reshape', inputs)
    expectShape(shape)
    if (sizeOf(shape) !== sizeOf(x.shape)) mismatch('reshape', inputs, `it cannot become [${shape.join(',')}]`)
    return { shape, dtype: x.dtype }
  },
  transpose: (inputs, { perm }) => {
    const x = only('transpose', inputs)
    const isPermutation = perm.length === x.shape.length && x.shape.every((_, axis) => perm.includes(axis))
    if (!isPermutation) mismatch('transpose', inputs, `[${perm.join(',')}] is no permutation of its axes`)
    return { shape: perm.map((axis) => x.shape[axis]!), dtype: x.dtype }
  },
  broadcastTo: (inputs, { shape }) => {
    const x = only('broadcastTo', inputs)
    expectShape(shape)
    const result = broadcastShapes(x.shape, shape)
    if (!result || !sameShape(result, shape)) mismatch('broadcastTo', inputs, `it cannot become [${shape.join(',')}]`)
    return { shape, dtype: x.dtype }
  },
  concat: (inputs, { axis }) => concat(inputs, axis),
  slice: (inputs, { starts, sizes }) => slice(inputs, starts, sizes),
  pad: (inputs, { before, after }) => {
    const x = only('pad', inputs)
    expectType('pad', inputs, 0, 'float32')
    if (
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((n) => n < 0)
    ) {
      mismatch('pad', inputs, `[${before.join(',')}] before and [${after.join(',')}] after do not fit`)
    }
    return { shape: x.shape.map((length, axis) => length + before[axis]! + after[axis]!), dtype: x.dtype }
  },

  gather: (inputs) => {
    const [table, ids] = pair('gather', inputs)
    expectType('gather', inputs, 1, 'int32')
    if (table.shape.length < 1) mismatch('gather', inputs, 'expected a table of rank 1 or more')
    return { shape: [...ids.shape, ...table.shape.slice(1)], dtype: table.dtype }
  },
  scatterAdd: (inputs, { rows }) => {
    const [ids, updates] = pair('scatterAdd', inputs)
    expectType('scatterAdd', inputs, 0, 'int32')
    expectType('scatterAdd', inputs, 1, 'float32')
    const rank = ids.shape.length
    if (!sameShape(ids.shape, updates.shape.slice(0, rank)))
      mismatch('scatterAdd', inputs, 'expected a row for each id')
    return { shape: [rows, ...updates.shape.slice(rank)], dtype: 'float32' }
  },
  takeAlong: (inputs) => {
    const [x, ids] = pair('takeAlong', inputs)
    expectType('takeAlong', inputs, 1, 'int32')
    if (!sameShape(x.shape.slice(0, -1), ids.shape)) mismatch('takeAlong', inputs, 'expected one id for each row')
    return { shape: ids.shape, dtype: x.dtype }
  },
  putAlong: (inputs, { size }) => {
    const [ids, updates] = pair('putAlong', inputs)
    expectType('putAlong', inputs, 0, 'int32')
    expectType('putAlong', inputs, 1, 'float32')
    if (!sameShape(ids.shape, updates.shape)) mismatch('putAlong', inputs, 'expected one value for each id')
    return { shape: [...ids.shape, size], dtype: 'float32' }
  },
  dynamicUpdateSlice: (inputs, { axis }) => dynamicUpdateSlice(inputs, axis),

  matmul: (inputs, attributes) => matmul(inputs, attributes),
  softmax: (inputs) => unary('softmax', inputs, 'float32', 1),
  logSoftmax: (inputs) => unary('logSoftmax', inputs, 'float32', 1),
  layerNorm: (inputs) => layerNorm('layerNorm', inputs),
  layerNormMean: (inputs) => statistic('layerNormMean', inputs),
  layerNormInverse: (inputs) => statistic('layerNormInverse', inputs),
  attention: (inputs) => ({ shape: attention('attention', inputs, 3), dtype: 'float32' }),
  attentionLogSum: (inputs) => {
    const [rows, tokens, heads] = attention('attentionLogSum', inputs, 3)
    return { shape: [rows, heads, tokens], dtype: 'float32' }
  },
  attentionGradient: (inputs, { of }) => {
    const [rows, tokens, heads, width] = attention('attentionGradient', inputs, 6)
    return { shape: [rows, tokens, of === 'all' ? 3 * heads : heads, width], dtype: 'float32' }
  },
  withGradient: (inputs) => {
    const value = inputs[0]
    if (!value || sizeOf(value.shape) !== 1) mismatch('withGradient', inputs, 'expected a scalar value')
    for (let i = 1; i < inputs.length; i += 2) {
      const [x, gradient] = [inputs[i], inputs[i + 1]]
      if (!x || !gradient || !sameShape(x.shape, gradient.shape)) {
        mismatch('withGradient', inputs, 'expected a gradient of the same shape for each tensor')
      }
    }
    return { shape: value.shape, dtype: value.dtype }
  },
  recomputed: (inputs) => only('recomputed', inputs.slice(0, 1)),
} satisfies { [N in OpName]: Rule<N> }

function leaf(shape: Shape, dtype: DType): Kind {
  expectShape(shape)
  return { shape, dtype }
}

function constant(data: Float32Array | Int32Array, shape: Shape, dtype: DType): Kind {
  expectShape(shape)
  if (data.length !== sizeOf(shape)) {
    throw new Error(`Internal error: a constant of shape [${shape.join(',')}] with ${data.length} numbers`)
  }
  if (data instanceof Float32Array !== (dtype === 'float32')) {
    throw new Error(`Internal error: a constant of ${dtype} with a ${data.constructor.name}`)
  }
  return { shape, dtype }
}

function iota(shape: Shape, axis: number): Kind {
  if (shape[axis] === undefined) throw new Error(`Internal error: iota of [${shape.join(',')}] along axis ${axis}`)
  return leaf(shape, 'int32')
}

function only(op: OpName, inputs: Inputs): Tensor {
  expectCount(op, inputs, 1)
  return inputs[0]!
}

function pair(op: OpName, inputs: Inputs): readonly [Tensor, Tensor] {
  expectCount(op, inputs, 2)
  return [inputs[0]!, inputs[1]!]
}

function unary(op: OpName, inputs: Inputs, dtype: DType = 'float32', minimumRank = 0): Kind {
  const x = only(op, inputs)
  expectType(op, inputs, 0, dtype)
  if (x.shape.length < minimumRank) mismatch(op, inputs, `expected a rank of ${minimumRank} or more`)
  return { shape: x.shape, dtype }
}

function binary(op: OpName, inputs: Inputs, ...types: DType[]): Kind {
  const [a, b] = pair(op, inputs)
  expectType(op, inputs, 0, ...types)
  expectType(op, inputs, 1, a.dtype)
  const shape = broadcastShapes(a.shape, b.shape)
  return { shape: shape ?? mismatch(op, inputs, 'the shapes do not broadcast'), dtype: a.dtype }
}

function compare(op: OpName, inputs: Inputs): Kind {
  return { shape: binary(op, inputs, 'float32', 'int32').shape, dtype: 'bool' }
}

function where(inputs: Inputs): Kind {
  expectCount('where', inputs, 3)
  const [condition, a, b] = [inputs[0]!, inputs[1]!, inputs[2]!]
  expectType('where', inputs, 0, 'bool')
  expectType('where', inputs, 2, a.dtype)
  const values = broadcastShapes(a.shape, b.shape)
  const shape = values && broadcastShapes(condition.shape, values)
  return { shape: shape ?? mismatch('where', inputs, 'the shapes do not broadcast'), dtype: a.dtype }
}

function reduce(op: OpName, inputs: Inputs, axes: readonly number[], keepDims: boolean): Kind {
  return { shape: reducedShape(unary(op, inputs).shape, axes, keepDims), dtype: 'float32' }
}

function concat(inputs: Inputs, axis: number): Kind {
  const [first, ...rest] = inputs
  if (!first) return mismatch('concat', inputs, 'expected at least one tensor')
  const others = (shape: Shape): Shape => shape.filter((_, index) => index !== axis)
  const fits = (x: Tensor): boolean => x.dtype === first.dtype && sameShape(others(x.shape), others(first.shape))
  if (first.shape[axis] === undefined || !rest.every(fits))
    mismatch('concat', inputs, `they do not join on axis ${axis}`)
  const length = inputs.reduce((sum, x) => sum + x.shape[axis]!, 0)
  return { shape: first.shape.map((old, index) => (index === axis ? length : old)), dtype: first.dtype }
}

function slice(inputs: Inputs, starts: readonly number[], sizes: readonly number[]): Kind {
  const x = only('slice', inputs)
  const inside = x.shape.every((length, axis) => {
    const [start, size] = [starts[axis] ?? -1, sizes[axis] ?? 0]
    return start >= 0 && size >= 1 && start + size <= length
  })
  if (!inside || starts.length !== x.shape.length || sizes.length !== x.shape.length) {
    mismatch('slice', inputs, `[${starts.join(',')}] and on for [${sizes.join(',')}] lies outside`)
  }
  return { shape: sizes, dtype: x.dtype }
}

function dynamicUpdateSlice(inputs: Inputs, axis: number): Kind {
  expectCount('dynamicUpdateSlice', inputs, 3)
  const [x, update, start] = [inputs[0]!, inputs[1]!, inputs[2]!]
  expectType('dynamicUpdateSlice', inputs, 1, x.dtype)
  expectType('dynamicUpdateSlice', inputs, 2, 'int32')
  const fits = x.shape.every((length, at) => (at === axis ? update.shape[at]! <= length : update.shape[at] === length))
  if (!fits || x.shape[axis] === undefined || update.shape.length !== x.shape.length || start.shape.length > 0) {
    mismatch('dynamicUpdateSlice', inputs, `expected a part of the first along axis ${axis}, and a scalar`)
  }
  return { shape: x.shape, dtype: x.dtype }
}

function matmul(inputs: Inputs, { transposeA, transposeB }: Attributes['matmul']): Kind {
  const [a, b] = pair('matmul', inputs)
  expectType('matmul', inputs, 0, 'float32')
  expectType('matmul', inputs, 1, 'float32')
  if (
    a.shape.length < 2 ||
    a.shape.length !== b.shape.length ||
    !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  ) {
    mismatch('matmul', inputs, 'expected the same leading axes and two more')
  }
  const [rows, inner] = matrix(a.shape, transposeA)
  const [innerB, columns] = matrix(b.shape, transposeB)
  if (inner !== innerB) {
    mismatch(
      'matmul',
      inputs,
      `the inner lengths ${inner} and ${innerB} differ (${String(transposeA)}, ${String(transposeB)})`,
    )
  }
  return { shape: [...a.shape.slice(0, -2), rows, columns], dtype: 'float32' }
}

function matrix(shape: Shape, transposed: boolean): readonly [number, number] {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!]
  return transposed ? [columns, rows] : [rows, columns]
}

/** Of so many inputs, and a mask after them or none. */
function attention(op: OpName, inputs: Inputs, count: number): readonly [number, number, number, number] {
  expectCount(op, inputs.slice(0, count), count)
  const [q, k, v] = inputs.map(({ shape }) => shape)
  if (q!.length !== 4 || !sameShape(q!, k!) || !sameShape(q!, v!)) mismatch(op, inputs, 'expected three (B, T, H, D)')
  const [rows, tokens] = q as unknown as readonly [number, number, number, number]
  const all = [rows, 1, tokens, tokens]
  const fits = ({ dtype, shape }: Kind): boolean =>
    dtype === 'bool' && sameShape(broadcastShapes(shape, all) ?? [], all)
  if (inputs.length > count + 1 || !inputs.slice(count).every(fits)) mismatch(op, inputs, 'expected one mask at most')
  return q as unknown as readonly [number, number, number, number]
}

function layerNorm(op: OpName, inputs: Inputs): Kind {
  expectCount(op, inputs, 3)
  const [x, gain, bias] = [inputs[0]!, inputs[1]!, inputs[2]!]
  const width = x.shape.slice(-1)
  if (width.length === 0 || !sameShape(gain.shape, width) || !sameShape(bias.shape, width)) {
    mismatch(op, inputs, 'expected a gain and a bias for each entry of the last axis')
  }
  return { shape: x.shape, dtype: 'float32' }
}

function statistic(op: OpName, inputs: Inputs): Kind {
  const { shape } = layerNorm(op, inputs)
  return { shape: [...shape.slice(0, -1), 1], dtype: 'float32' }
}
