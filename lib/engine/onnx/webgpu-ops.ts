import type { Node } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { elementType } from './proto.ts'
import { plainDialect } from './ops.ts'
import type { Dialect, Emitters } from './ops.ts'
import type { Writer } from './writer.ts'

const { emitters: plain } = plainDialect

/**
 * What ONNX Runtime's WebGPU provider has no kernel for, said in ops that it has: a node that it lacks would run on the CPU,
 * its tensors copied there and back at each step.
 */
const emitters: Emitters = {
  ...plain,
  // a ∨ b = ¬(¬a ∧ ¬b)
  or: (w, inputs) =>
    w.emit('Not', [
      w.emit(
        'And',
        inputs.map((x) => w.emit('Not', [x])),
      ),
    ]),
  argMax: (w, [x], node) => argMax(w, x!, node),
  slice: (w, [x], node) => (node.dtype === 'float32' ? plain.slice(w, [x!], node) : cutOut(w, x!, node)),
  logSoftmax: (w, [x]) => logSoftmax(w, x!),
  matmul: (w, inputs, node) => (node.shape.length === 2 ? plain.matmul(w, inputs, node) : batched(w, inputs, node)),
  scatterAdd: (w, [ids, updates], node) => {
    const rows = w.ints([node.shape[0]!, sizeOf(node.shape.slice(1))])
    const flat = w.emit('Reshape', [ids!, w.ints([sizeOf(node.inputs[0]!.shape)])])
    const first = w.emit('Gather', [flat, countUp(w, 1)])
    const zero = w.emit('Cast', [w.emit('Sub', [first, first])], { attributes: { to: elementType.float32 } })
    return w.emit('Reshape', [addRows(w, w.emit('Expand', [zero, rows]), ids!, updates!, node), w.ints(node.shape)])
  },
  putAlong: (w, [ids, updates], node) => {
    const column = w.ints([...node.inputs[0]!.shape, 1])
    return w.emit('Where', [chosen(w, ids!, node), w.emit('Reshape', [updates!, column]), w.float(0)])
  },
  dynamicUpdateSlice: (w, [x, update, start], node) => dynamicUpdateSlice(w, x!, update!, start!, node),
}

/**
 * For WebGPU. All of it runs there but for one cast of `scatterAdd`'s ids, which come from the CPU anyway. Not every
 * device knows float16.
 */
export const webgpuDialect: Dialect = {
  float16: 'float32',
  emitters,
  fusesProducts: true,
  addRows,
  addEntries,
}

/** The first place of the greatest entry: the least of the places that hold it. */
function argMax(w: Writer, x: string, { inputs: [of] }: Node<'argMax'>): string {
  const size = of!.shape.at(-1)!
  const greatest = w.emit('ReduceMax', [x, w.ints([-1])], { attributes: { keepdims: 1 } })
  const last = w.constant('int32', [], Int32Array.of(size - 1))
  const places = w.emit('Where', [w.emit('Equal', [x, greatest]), countUp(w, size), last])
  return w.emit('ReduceMin', [places, w.ints([-1])], { attributes: { keepdims: 0 } })
}

/** Axis by axis: only float32 has a Slice. */
function cutOut(w: Writer, x: string, { shape, inputs, attributes: { starts } }: Node<'slice'>): string {
  return shape.reduce((cut, size, axis) => {
    if (size === inputs[0]!.shape[axis]) return cut
    return w.emit('Gather', [cut, countUp(w, size, starts[axis])], { attributes: { axis } })
  }, x)
}

/** x − m − log Σ e^(x − m) with m = max x */
function logSoftmax(w: Writer, x: string): string {
  const rows = { attributes: { keepdims: 1 } }
  const below = w.emit('Sub', [x, w.emit('ReduceMax', [x, w.ints([-1])], rows)])
  const total = w.emit('ReduceSum', [w.emit('Exp', [below]), w.ints([-1])], rows)
  return w.emit('Sub', [below, w.emit('Log', [total])])
}

function batched(w: Writer, names: readonly string[], { inputs, attributes }: Node<'matmul'>): string {
  const { transposeA, transposeB, scale } = attributes
  const straight = [transposeA, transposeB].map((isTransposed, i) => {
    if (!isTransposed) return names[i]!
    const axes = [...inputs[i]!.shape.keys()]
    return w.emit('Transpose', [names[i]!], {
      attributes: { perm: [...axes.slice(0, -2), ...axes.slice(-2).reverse()] },
    })
  })
  const product = w.emit('MatMul', straight)
  return scale === 1 ? product : w.emit('Mul', [product, w.float(scale)])
}

/** ScatterND: no ScatterElements of this provider adds. It adds atomically, in any order: the last bits vary. */
function addRows(w: Writer, data: string, ids: string, updates: string, node: Node<'scatterAdd'>): string {
  const [count, width] = [sizeOf(node.inputs[0]!.shape), sizeOf(node.shape.slice(1))]
  const places = w.emit('Cast', [w.emit('Reshape', [ids, w.ints([count, 1])])], {
    attributes: { to: elementType.int64 },
  })
  const rows = w.emit('Reshape', [updates, w.ints([count, width])])
  return w.emit('ScatterND', [data, places, rows], { attributes: { reduction: 'add' } })
}

function addEntries(w: Writer, data: string, ids: string, updates: string, node: Node<'putAlong'>): string {
  const column = w.emit('Reshape', [updates, w.ints([...node.inputs[0]!.shape, 1])])
  return w.emit('Where', [chosen(w, ids, node), w.emit('Add', [data, column]), data])
}

/** Whether an entry of a row is the one that the row's id names: [..., V] bool. */
function chosen(w: Writer, ids: string, { shape, inputs }: Node<'putAlong'>): string {
  return w.emit('Equal', [w.emit('Reshape', [ids, w.ints([...inputs[0]!.shape, 1])]), countUp(w, shape.at(-1)!)])
}

/** Each place of the axis takes its entry of the update, where it has one. */
function dynamicUpdateSlice(w: Writer, x: string, update: string, start: string, node: Node<'dynamicUpdateSlice'>) {
  const { axis } = node.attributes
  const [whole, part] = [node.shape[axis]!, node.inputs[1]!.shape[axis]!]
  const number = (value: number): string => w.constant('int32', [], Int32Array.of(value))
  const place = w.emit('Sub', [countUp(w, whole), start])
  const nearest = w.emit('Clip', [place, number(0), number(part - 1)])
  const aligned = w.ints([whole, ...node.shape.slice(axis + 1).map(() => 1)])
  const isNew = w.emit('Reshape', [w.emit('Equal', [place, nearest]), aligned])
  return w.emit('Where', [isNew, w.emit('Gather', [update, nearest], { attributes: { axis } }), x])
}

const countUp = (w: Writer, size: number, from = 0): string =>
  w.constant(
    'int32',
    [size],
    Int32Array.from({ length: size }, (_, i) => from + i),
  )
