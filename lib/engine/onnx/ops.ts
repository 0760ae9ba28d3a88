import type { Node, PlainOp, RunOp } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { elementType } from './proto.ts'
import { addProduct } from './sums.ts'
import type { Writer } from './writer.ts'

/** Emits a node given the names of its inputs, and returns the name of its value. */
type Emit<N extends RunOp> = (w: Writer, inputs: readonly string[], node: Node<N>) => string
export type Emitters = { readonly [N in PlainOp]: Emit<N> }

/** How the graph is said to one of ONNX Runtime's devices. */
export interface Dialect {
  /** As what an input of float16 comes: what cannot read it is given float32. */
  readonly float16: 'float16' | 'float32'
  readonly emitters: Emitters
  /** Whether a product may be one with what is added to it. */
  readonly fusesProducts: boolean
  /** `updates` added up by row, onto `data` [rows, width]. */
  readonly addRows: (w: Writer, data: string, ids: string, updates: string, node: Node<'scatterAdd'>) => string
  /** `updates` [...ids] added to the entries `ids` of the rows of `data`. */
  readonly addEntries: (w: Writer, data: string, ids: string, updates: string, node: Node<'putAlong'>) => string
  /** A product of two matrices added onto a large `sum`, in place if nothing else reads that; Gemm where not given. */
  readonly addProduct?: (w: Writer, sum: string, inputs: readonly string[], product: Node<'matmul'>) => string
}

const microsoft = { domain: 'com.microsoft' }

const same =
  (opType: string): Emit<RunOp> =>
  (w, inputs) =>
    w.emit(opType, inputs)

/** ONNX for every op of the language. */
const emitters: Emitters = {
  input: () => leaf(),
  state: () => leaf(),
  constant: (w, _, { attributes: { data, shape, dtype } }) =>
    dtype === 'bool'
      ? w.constant(
          'bool',
          shape,
          Uint8Array.from(data, (x) => (x === 0 ? 0 : 1)),
        )
      : w.constant(dtype, shape, data),
  iota: (w, _, { shape, attributes: { axis } }) => {
    const counted = shape.map((length, index) => (index === axis ? length : 1))
    const line = w.constant(
      'int32',
      counted,
      Int32Array.from({ length: shape[axis]! }, (__, i) => i),
    )
    return w.emit('Expand', [line, w.ints(shape)])
  },

  neg: same('Neg'),
  exp: same('Exp'),
  log: same('Log'),
  sqrt: same('Sqrt'),
  rsqrt: (w, inputs) => w.emit('Reciprocal', [w.emit('Sqrt', inputs)]),
  tanh: same('Tanh'),
  square: (w, [x]) => w.emit('Mul', [x!, x!]),
  abs: same('Abs'),
  gelu: (w, inputs) => w.emit('FastGelu', inputs, microsoft),
  geluDerivative: (w, [x]) => geluDerivative(w, x!),
  not: same('Not'),
  pow: (w, [x], { attributes: { exponent } }) => w.emit('Pow', [x!, w.float(exponent)]),
  cast: (w, inputs, { attributes: { dtype } }) => w.emit('Cast', inputs, { attributes: { to: elementType[dtype] } }),

  add: same('Add'),
  sub: same('Sub'),
  mul: same('Mul'),
  div: same('Div'),
  maximum: same('Max'),
  minimum: same('Min'),
  equal: same('Equal'),
  less: same('Less'),
  lessEqual: same('LessOrEqual'),
  greater: same('Greater'),
  greaterEqual: same('GreaterOrEqual'),
  and: same('And'),
  or: same('Or'),
  where: same('Where'),

  sum: (w, inputs, node) => reduce(w, 'ReduceSum', inputs, node),
  mean: (w, inputs, node) => reduce(w, 'ReduceMean', inputs, node),
  max: (w, inputs, node) => reduce(w, 'ReduceMax', inputs, node),
  argMax: (w, inputs) => {
    const index = w.emit('ArgMax', inputs, { attributes: { axis: -1, keepdims: 0 } })
    return w.emit('Cast', [index], { attributes: { to: elementType.int32 } })
  },

  reshape: (w, [x], { shape }) => w.emit('Reshape', [x!, w.ints(shape)]),
  transpose: (w, inputs, { attributes: { perm } }) => w.emit('Transpose', inputs, { attributes: { perm } }),
  broadcastTo: (w, [x], { shape }) => w.emit('Expand', [x!, w.ints(shape)]),
  concat: (w, inputs, { attributes: { axis } }) => w.emit('Concat', inputs, { attributes: { axis } }),
  slice: (w, [x], node) => {
    const { starts, sizes } = node.attributes
    const cut = sizes.flatMap((size, axis) => (size === node.inputs[0]!.shape[axis] ? [] : [axis]))
    const from = cut.map((axis) => starts[axis]!)
    const to = cut.map((axis) => starts[axis]! + sizes[axis]!)
    return cut.length === 0 ? x! : w.emit('Slice', [x!, w.ints(from), w.ints(to), w.ints(cut)])
  },
  pad: (w, [x], { attributes: { before, after } }) => w.emit('Pad', [x!, w.ints([...before, ...after]), w.float(0)]),

  gather: (w, inputs) => w.emit('Gather', inputs, { attributes: { axis: 0 } }),
  scatterAdd: (w, [ids, updates], node) => scatterAdd(w, ids!, updates!, node),
  takeAlong: (w, [x, ids], { shape }) => {
    const index = w.emit('Reshape', [ids!, w.ints([...shape, 1])])
    const taken = w.emit('GatherElements', [x!, index], { attributes: { axis: -1 } })
    return w.emit('Reshape', [taken, w.ints(shape)])
  },
  putAlong: (w, [ids, updates], node) => putAlong(w, ids!, updates!, node),
  dynamicUpdateSlice: (w, [x, update, start], node) => dynamicUpdateSlice(w, x!, update!, start!, node),

  matmul: (w, inputs, { shape, attributes: { transposeA, transposeB, scale } }) => {
    const alpha = { float: scale }
    if (shape.length === 2) {
      return w.emit('Gemm', inputs, { attributes: { transA: Number(transposeA), transB: Number(transposeB), alpha } })
    }
    if (!transposeA && !transposeB && scale === 1) return w.emit('MatMul', inputs)
    const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha }
    return w.emit('FusedMatMul', inputs, { attributes, ...microsoft })
  },
  softmax: (w, inputs) => w.emit('Softmax', inputs, { attributes: { axis: -1 } }),
  logSoftmax: (w, inputs) => w.emit('LogSoftmax', inputs, { attributes: { axis: -1 } }),
  layerNorm: (w, inputs, node) => layerNorm(w, inputs, node)[0]!,
  layerNormMean: (w, inputs, node) => layerNorm(w, inputs, node)[1]!,
  layerNormInverse: (w, inputs, node) => layerNorm(w, inputs, node)[2]!,
}

/** Every op on the CPU, all of it standard ONNX or ONNX Runtime's own. */
export const plainDialect: Dialect = {
  float16: 'float16',
  emitters,
  fusesProducts: true,
  addRows,
  addEntries,
  addProduct,
}

function leaf(): never {
  throw new Error('Internal error: inputs and state are named before the ops are emitted')
}

type Reduction = Node<'sum'> | Node<'mean'> | Node<'max'>

function reduce(w: Writer, opType: string, [x]: readonly string[], { attributes }: Reduction): string {
  return w.emit(opType, [x!, w.ints(attributes.axes)], { attributes: { keepdims: Number(attributes.keepDims) } })
}

/** gelu′ = s + x s (1 − s) v′ with s = σ(v), v = 2√(2/π)(x + ax³): half the passes of the form with tanh. */
function geluDerivative(w: Writer, x: string): string {
  const [c, a] = [2 * Math.sqrt(2 / Math.PI), 0.044715]
  const squared = w.emit('Mul', [x, x])
  const inner = w.emit('Add', [w.emit('Mul', [squared, w.float(a * c)]), w.float(c)])
  const v = w.emit('Mul', [x, inner])
  const s = w.emit('Sigmoid', [v])
  // x v′ = x(c + 3acx²) = 3v − 2cx
  const xSlope = w.emit('Sub', [w.emit('Mul', [v, w.float(3)]), w.emit('Mul', [x, w.float(2 * c)])])
  const rest = w.emit('Mul', [xSlope, w.emit('Sub', [w.float(1), s])])
  return w.emit('Mul', [s, w.emit('Add', [rest, w.float(1)])])
}

/**
 * ScatterElements, never ScatterND: on the CPU the latter's addition loses updates to the same row when it runs on more
 * than one thread.
 */
function scatterAdd(w: Writer, ids: string, updates: string, node: Node<'scatterAdd'>): string {
  const width = sizeOf(node.shape.slice(1))
  const zeros = freshZeros(w, ids, sizeOf(node.inputs[0]!.shape), [node.shape[0]!, width])
  const sum = addRows(w, zeros, ids, updates, node)
  return node.shape.length === 2 ? sum : w.emit('Reshape', [sum, w.ints(node.shape)])
}

function addRows(w: Writer, data: string, ids: string, updates: string, node: Node<'scatterAdd'>): string {
  const [count, width] = [sizeOf(node.inputs[0]!.shape), sizeOf(node.shape.slice(1))]
  const column = w.emit('Reshape', [ids, w.ints([count, 1])])
  const index = w.emit('Expand', [column, w.ints([count, width])])
  const rows = w.emit('Reshape', [updates, w.ints([count, width])])
  return w.emit('ScatterElements', [data, index, rows], { attributes: { axis: 0, reduction: 'add' } })
}

function addEntries(w: Writer, data: string, ids: string, updates: string, { inputs }: Node<'putAlong'>): string {
  const column = w.ints([...inputs[0]!.shape, 1])
  const scattered = [data, w.emit('Reshape', [ids, column]), w.emit('Reshape', [updates, column])]
  return w.emit('ScatterElements', scattered, { attributes: { axis: -1, reduction: 'add' } })
}

function putAlong(w: Writer, ids: string, updates: string, { shape, inputs }: Node<'putAlong'>): string {
  const column = w.ints([...inputs[0]!.shape, 1])
  const [index, values] = [w.emit('Reshape', [ids, column]), w.emit('Reshape', [updates, column])]
  const zeros = freshZeros(w, ids, sizeOf(inputs[0]!.shape), shape)
  return w.emit('ScatterElements', [zeros, index, values], { attributes: { axis: -1 } })
}

function dynamicUpdateSlice(w: Writer, x: string, update: string, start: string, node: Node<'dynamicUpdateSlice'>) {
  const { axis } = node.attributes
  const { shape } = node.inputs[1]!
  const counted = shape.map((length, index) => (index === axis ? length : 1))
  const line = w.constant(
    'int32',
    counted,
    Int32Array.from({ length: shape[axis]! }, (_, i) => i),
  )
  const index = w.emit('Expand', [w.emit('Add', [line, start]), w.ints(shape)])
  return w.emit('ScatterElements', [x, index, update], { attributes: { axis } })
}

/** Zeros made anew in each run: constant ones would be folded into the session, and copied in each run all the same. */
function freshZeros(w: Writer, ids: string, count: number, shape: readonly number[]): string {
  const flat = w.emit('Reshape', [ids, w.ints([count])])
  const one = w.emit('Slice', [flat, w.ints([0]), w.ints([1])])
  const zero = w.emit('Cast', [w.emit('Sub', [one, one])], { attributes: { to: elementType.float32 } })
  return w.emit('Expand', [zero, w.ints(shape)])
}

type NormNode = Node<'layerNorm'> | Node<'layerNormMean'> | Node<'layerNormInverse'>

/** Value, mean and inverse deviation come from one op. */
function layerNorm(w: Writer, inputs: readonly string[], { attributes: { epsilon } }: NormNode): readonly string[] {
  return w.once(`layerNorm ${epsilon} ${inputs.join(' ')}`, () =>
    w.emitAll('LayerNormalization', inputs, { attributes: { axis: -1, epsilon: { float: epsilon } }, outputs: 3 }),
  )
}
