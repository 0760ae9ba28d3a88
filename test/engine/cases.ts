import * as g from '../../lib/graph/index.ts'
import type { KernelOp, OpName, Tensor } from '../../lib/graph/index.ts'
import { apply } from '../../lib/graph/apply.ts'
import { at, average, bools, build, ints, nd, noise, ravel, reduce, rows, total, zip } from './reference.ts'
import type { Nd } from './reference.ts'

export interface Case {
  readonly title: string
  readonly inputs: readonly Nd[]
  readonly build: (...x: Tensor[]) => Tensor
  /** The values by plain arithmetic in double precision: also what finite differences are taken of. */
  readonly expected: (...x: Nd[]) => readonly number[]
  /** Of Σ value · weight by each float input: only where it is not the true derivative, by design. */
  readonly gradients?: (weights: readonly number[], ...x: Nd[]) => readonly (readonly number[])[]
  /** Whether values alone are compared: a function that is flat, or has a corner here. */
  readonly valuesOnly?: boolean
}

const x23 = noise([2, 3], 1)
const y23 = noise([2, 3], 2)
const row = noise([3], 3)
const column = noise([2, 1], 4)
const positive = nd([2, 3], [0.1, 0.5, 1, 2, 5, 30])
const big = nd([2, 3], [1e4, -1e4, 0, -1e4, -1e4, 1e4 + 1])
const c = Math.sqrt(2 / Math.PI)
const geluOf = (x: number): number => 0.5 * x * (1 + Math.tanh(c * (x + 0.044715 * x ** 3)))
const geluSlope = (x: number): number => {
  const t = Math.tanh(c * (x + 0.044715 * x ** 3))
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)
}

const unary = (build: (x: Tensor) => Tensor, f: (x: number) => number, ...inputs: readonly Nd[]): readonly Case[] =>
  inputs.map((x, i) => ({ title: `#${i}`, inputs: [x], build, expected: (x) => zip(f, x) }))

const binary = (
  build: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
  valuesOnly = false,
): readonly Case[] =>
  [
    [x23, y23],
    [x23, row],
    [column, row],
    [x23, nd([], [0.7])],
    [nd([1], [-0.6]), y23],
  ].map(([a, b]) => ({
    title: `[${a!.shape.join()}] and [${b!.shape.join()}]`,
    inputs: [a!, b!],
    build,
    expected: (a, b) => zip(f, a, b),
    valuesOnly,
  }))

const compare = (build: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => boolean): readonly Case[] => [
  ...binary(build, (a, b) => Number(f(a, b)), true),
  {
    title: 'equal and unequal integers',
    inputs: [ints([2, 2], [1, 2, 3, -4]), ints([2], [1, 3])],
    build,
    expected: (a, b) => zip((a, b) => Number(f(a, b)), a, b),
    valuesOnly: true,
  },
]

const logic = (build: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => number): readonly Case[] => [
  {
    title: 'truth table',
    inputs: [bools([2, 1], [0, 1]), bools([2], [0, 1])],
    build,
    expected: (a, b) => zip(f, a, b),
    valuesOnly: true,
  },
]

const x234 = noise([2, 3, 4], 5)
const reduction = (
  build: (x: Tensor, axes?: readonly number[], keepDims?: boolean) => Tensor,
  f: (entries: number[]) => number,
): readonly Case[] => [
  ...[[0], [1], [2], [0, 2], [0, 1, 2], [-1]].map((axes) => ({
    title: `over [${axes.join()}]`,
    inputs: [x234],
    build: (x: Tensor) => build(x, axes),
    expected: (x?: Nd) =>
      reduce(
        x!,
        axes.map((axis) => (axis + 3) % 3),
        f,
      ),
  })),
  { title: 'kept axes', inputs: [x234], build: (x) => build(x, [1], true), expected: (x) => reduce(x, [1], f) },
  { title: 'all', inputs: [x234], build: (x) => build(x), expected: (x) => reduce(x, [0, 1, 2], f) },
  { title: 'none', inputs: [x23], build: (x) => build(x, []), expected: (x) => x.data },
]

const softmaxOf = (row: readonly number[]): number[] => {
  const top = Math.max(...row)
  const powers = row.map((x) => Math.exp(x - top))
  return powers.map((x) => x / total(powers))
}
const logSoftmaxOf = (row: readonly number[]): number[] => {
  const top = Math.max(...row)
  const logTotal = Math.log(total(row.map((x) => Math.exp(x - top))))
  return row.map((x) => x - top - logTotal)
}

const product =
  (ta: boolean, tb: boolean, scale: number) =>
  (a: Nd, b: Nd): number[] => {
    const lead = a.shape.slice(0, -2)
    const [m, k] = ta ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!]
    const n = tb ? b.shape.at(-2)! : b.shape.at(-1)!
    return build([...lead, m, n], (index) => {
      const [i, j] = [index.at(-2)!, index.at(-1)!]
      const batch = index.slice(0, -2)
      const terms = Array.from(
        { length: k },
        (_, l) => at(a, [...batch, ...(ta ? [l, i] : [i, l])]) * at(b, [...batch, ...(tb ? [j, l] : [l, j])]),
      )
      return scale * total(terms)
    })
  }

const matmulCases: readonly Case[] = [false, true].flatMap((transposeA) =>
  [false, true].flatMap((transposeB) =>
    [[], [2], [2, 2]].map((lead): Case => {
      const a = noise([...lead, ...(transposeA ? [4, 3] : [3, 4])], 6)
      const b = noise([...lead, ...(transposeB ? [5, 4] : [4, 5])], 7)
      const scale = lead.length === 1 ? 0.5 : 1
      return {
        title: `[${a.shape.join()}]${transposeA ? 'ᵀ' : ''} · [${b.shape.join()}]${transposeB ? 'ᵀ' : ''} · ${scale}`,
        inputs: [a, b],
        build: (a, b) => g.matmul(a, b, { transposeA, transposeB, scale }),
        expected: (a, b) => product(transposeA, transposeB, scale)(a, b),
      }
    }),
  ),
)

const statistics = (row: readonly number[], epsilon: number): { mean: number; inverse: number } => {
  const mean = average(row)
  return { mean, inverse: 1 / Math.sqrt(average(row.map((x) => (x - mean) ** 2)) + epsilon) }
}
const normInputs = [noise([2, 2, 5], 8), noise([5], 9), noise([5], 10)] as const
const part = (op: 'layerNormMean' | 'layerNormInverse', pick: 'mean' | 'inverse'): readonly Case[] => [
  {
    title: 'rows of 5',
    inputs: normInputs,
    build: (x, gain, bias) => apply(op, [x, gain, bias], { epsilon: 1e-5 }),
    expected: (x) => rows(x, (row) => [statistics(row, 1e-5)[pick]]),
  },
]

const ids = ints([2, 2], [3, 0, 3, 2])
/** x with u from `start` on along an axis. */
const replaced = (x: Nd, u: Nd, start: number, axis: number): number[] =>
  build(x.shape, (index) => {
    const inside = index.map((at, one) => (one === axis ? at - start : at))
    const isThere = inside[axis]! >= 0 && inside[axis]! < u.shape[axis]!
    return isThere ? at(u, inside) : at(x, index)
  })

const scatterRows = (ids: Nd, updates: Nd, count_: number): number[] => {
  const width = updates.data.length / ids.data.length
  const sums = Array.from({ length: count_ * width }, () => 0)
  ids.data.forEach((id, i) => {
    for (let j = 0; j < width; j++) sums[id * width + j]! += updates.data[i * width + j]!
  })
  return sums
}

/** At least one case for every op: a forgotten one is a compile error, and a failing test. */
export const cases = {
  input: [{ title: 'as given', inputs: [x23], build: (x) => x, expected: (x) => x.data }],
  state: [
    {
      title: 'read',
      inputs: [x23],
      build: (x) => g.mul(x, g.state('kept', [3])),
      expected: (x) => zip((a, b) => a * b, x, nd([3], [1, 2, 3])),
    },
  ],
  constant: [
    {
      title: 'a vector',
      inputs: [x23],
      build: (x) => g.add(x, g.constant([1, 2, 3])),
      expected: (x) => zip((a, b) => a + b, x, nd([3], [1, 2, 3])),
    },
    {
      title: 'a stretched number',
      inputs: [x23],
      build: (x) => g.mul(x, g.constant(3, [2, 3])),
      expected: (x) => x.data.map((a) => a * 3),
    },
    { title: 'alone', inputs: [], build: () => g.constant(3, [2, 2], 'int32'), expected: () => [3, 3, 3, 3] },
    {
      title: 'bool',
      inputs: [x23],
      build: (x) => g.where(g.constant([1, 0, 1], [3], 'bool'), x, 0),
      expected: (x) => zip((a, b) => a * b, x, nd([3], [1, 0, 1])),
    },
    {
      title: 'a big one',
      inputs: [],
      build: () => g.constant(Float32Array.from({ length: 100 }, (_, i) => i)),
      expected: () => Array.from({ length: 100 }, (_, i) => i),
    },
  ],
  iota: [
    { title: 'along rows', inputs: [], build: () => g.iota([2, 3], 1), expected: () => [0, 1, 2, 0, 1, 2] },
    { title: 'along columns', inputs: [], build: () => g.iota([2, 3], 0), expected: () => [0, 0, 0, 1, 1, 1] },
  ],

  neg: unary(g.neg, (x) => -x, x23),
  exp: unary(g.exp, Math.exp, x23, nd([2], [80, -80])),
  log: unary(g.log, Math.log, positive),
  sqrt: unary(g.sqrt, Math.sqrt, positive),
  rsqrt: unary(g.rsqrt, (x) => 1 / Math.sqrt(x), positive),
  tanh: unary(g.tanh, Math.tanh, x23, nd([2], [40, -40])),
  square: unary(g.square, (x) => x * x, x23),
  abs: unary(g.abs, Math.abs, x23),
  gelu: unary(g.gelu, geluOf, x23, nd([6], [0, 1e-3, 6, -6, 40, -40])),
  geluDerivative: unary(g.geluDerivative, geluSlope, x23, nd([6], [0, 1e-3, 6, -6, 40, -40])),
  not: [
    { title: 'both', inputs: [bools([2], [0, 1])], build: (x) => g.not(x), expected: () => [1, 0], valuesOnly: true },
  ],
  pow: [
    ...unary(
      (x) => g.pow(x, 3),
      (x) => x ** 3,
      x23,
    ),
    ...unary(
      (x) => g.pow(x, 2),
      (x) => x ** 2,
      x23,
    ),
    ...unary(
      (x) => g.pow(x, 1),
      (x) => x,
      x23,
    ),
    ...[1.7, 0.5, -0.5, -2].flatMap((n) =>
      unary(
        (x) => g.pow(x, n),
        (x) => x ** n,
        positive,
      ),
    ),
  ],
  cast: [
    {
      title: 'to integers, towards 0',
      inputs: [nd([4], [1.7, -1.7, 0.2, 3])],
      build: (x) => g.cast(x, 'int32'),
      expected: () => [1, -1, 0, 3],
      valuesOnly: true,
    },
    {
      title: 'to truth',
      inputs: [nd([3], [0, 0.5, -2])],
      build: (x) => g.cast(x, 'bool'),
      expected: () => [0, 1, 1],
      valuesOnly: true,
    },
    {
      title: 'from integers',
      inputs: [ints([3], [0, 5, -2])],
      build: (x) => g.cast(x, 'float32'),
      expected: (x) => x.data,
    },
    {
      title: 'from truth',
      inputs: [bools([2], [0, 1]), x23],
      build: (x, y) => g.add(g.sum(y), g.cast(x, 'float32')),
      expected: (x, y) => x.data.map((a) => a + total(y.data)),
    },
    {
      title: 'truth to integers',
      inputs: [bools([2], [0, 1])],
      build: (x) => g.cast(x, 'int32'),
      expected: (x) => x.data,
    },
  ],
  stopGradient: [
    {
      title: 'x · stopped x',
      inputs: [x23],
      build: (x) => g.mul(x, g.stopGradient(x)),
      expected: (x) => x.data.map((a) => a * a),
      gradients: (weights, x) => [weights.map((w, i) => w * x.data[i]!)],
    },
  ],

  add: binary(g.add, (a, b) => a + b),
  sub: binary(g.sub, (a, b) => a - b),
  mul: binary(g.mul, (a, b) => a * b),
  div: binary(g.div, (a, b) => a / b),
  maximum: binary(g.maximum, Math.max),
  minimum: binary(g.minimum, Math.min),
  equal: compare(g.equal, (a, b) => a === b),
  less: compare(g.less, (a, b) => a < b),
  lessEqual: compare(g.lessEqual, (a, b) => a <= b),
  greater: compare(g.greater, (a, b) => a > b),
  greaterEqual: compare(g.greaterEqual, (a, b) => a >= b),
  and: logic(g.and, (a, b) => a & b),
  or: logic(g.or, (a, b) => a | b),
  where: [
    {
      title: 'same shapes',
      inputs: [bools([2, 3], [1, 0, 1, 0, 0, 1]), x23, y23],
      build: (p, a, b) => g.where(p, a, b),
      expected: (p, a, b) => zip((p, a, b) => (p ? a : b), p, a, b),
    },
    {
      title: 'stretched',
      inputs: [bools([2, 1], [1, 0]), row, nd([], [0.3])],
      build: (p, a, b) => g.where(p, a, b),
      expected: (p, a, b) => zip((p, a, b) => (p ? a : b), p, a, b),
    },
    {
      title: 'integers',
      inputs: [bools([2], [1, 0]), ints([2], [4, 5])],
      build: (p, a) => g.where(p, a, -1),
      expected: () => [4, -1],
    },
  ],

  sum: reduction(g.sum, total),
  mean: reduction(g.mean, average),
  max: [
    ...reduction(g.max, (entries) => Math.max(...entries)),
    {
      title: 'of equal entries: the share of each',
      inputs: [nd([2, 3], [1, 1, 0, 2, 5, 2])],
      build: (x) => g.max(x, [1]),
      expected: () => [1, 5],
      gradients: ([u, v]) => [[u! / 2, u! / 2, 0, 0, v!, 0]],
    },
  ],
  argMax: [
    {
      title: 'the first of equal ones',
      inputs: [nd([3, 3], [1, 3, 2, 7, 7, 0, -1, -2, -1])],
      build: (x) => g.argMax(x),
      expected: () => [1, 0, 0],
      valuesOnly: true,
    },
  ],

  reshape: [
    { title: 'to [6]', inputs: [x23], build: (x) => g.reshape(x, [6]), expected: (x) => x.data },
    {
      title: 'with a length worked out',
      inputs: [x234],
      build: (x) => g.reshape(g.mul(x, 2), [4, -1]),
      expected: (x) => x.data.map((a) => a * 2),
    },
    { title: 'of a scalar', inputs: [nd([], [3])], build: (x) => g.reshape(x, [1, 1]), expected: (x) => x.data },
  ],
  transpose: [
    ...[
      [0, 1, 2],
      [1, 0, 2],
      [2, 0, 1],
      [2, 1, 0],
    ].map((perm) => ({
      title: `by [${perm.join()}]`,
      inputs: [x234],
      build: (x?: Tensor) => g.transpose(x!, perm),
      expected: (x?: Nd) =>
        build(
          perm.map((axis) => x!.shape[axis]!),
          (index) =>
            at(
              x!,
              perm.map((_, axis) => index[perm.indexOf(axis)]!),
            ),
        ),
    })),
    {
      title: 'twice',
      inputs: [x234],
      build: (x) => g.transpose(g.transpose(x, [1, 2, 0]), [2, 0, 1]),
      expected: (x) => x.data,
    },
  ],
  broadcastTo: [
    {
      title: 'a row',
      inputs: [row],
      build: (x) => g.broadcastTo(x, [2, 3]),
      expected: (x) => [...x.data, ...x.data],
    },
    {
      title: 'a column',
      inputs: [column],
      build: (x) => g.broadcastTo(x, [2, 2, 2]),
      expected: (x) => build([2, 2, 2], (index) => at(x, index)),
    },
    {
      title: 'a scalar',
      inputs: [nd([], [2])],
      build: (x) => g.broadcastTo(x, [2, 2]),
      expected: (x) => build([2, 2], (index) => at(x, index)),
    },
    {
      title: 'both operands',
      inputs: [column, row],
      build: (x, y) => g.mul(g.broadcastTo(x, [2, 3]), g.broadcastTo(y, [2, 3])),
      expected: (x, y) => zip((a, b) => a * b, x, y),
    },
  ],
  concat: [
    {
      title: 'rows',
      inputs: [x23, row, y23],
      build: (x, y, z) => g.concat([x, g.reshape(y, [1, 3]), z], 0),
      expected: (x, y, z) => [...x.data, ...y.data, ...z.data],
    },
    {
      title: 'columns',
      inputs: [x23, column],
      build: (x, y) => g.concat([x, y], -1),
      expected: (x, y) => [...x.data.slice(0, 3), y.data[0]!, ...x.data.slice(3), y.data[1]!],
    },
    { title: 'one', inputs: [x23], build: (x) => g.concat([x], 0), expected: (x) => x.data },
  ],
  slice: [
    {
      title: 'inside',
      inputs: [x234],
      build: (x) => g.slice(x, [0, 1, 1], [2, 2, 2]),
      expected: (x) => build([2, 2, 2], ([i, j, k]) => at(x, [i!, j! + 1, k! + 1])),
    },
    {
      title: 'the rest',
      inputs: [x23],
      build: (x) => g.slice(x, [1, 0], [-1, -1]),
      expected: (x) => x.data.slice(3),
    },
    { title: 'all', inputs: [x23], build: (x) => g.slice(x, [0, 0], [2, 3]), expected: (x) => x.data },
  ],
  pad: [
    {
      title: 'around',
      inputs: [x23],
      build: (x) => g.pad(x, [1, 0], [0, 2]),
      expected: (x) => build([3, 5], ([i, j]) => (i! > 0 && j! < 3 ? at(x, [i! - 1, j!]) : 0)),
    },
  ],

  gather: [
    {
      title: 'rows, one twice',
      inputs: [noise([4, 3], 11), ids],
      build: (t, i) => g.gather(t, i),
      expected: (t, i) => i.data.flatMap((id) => t.data.slice(id * 3, id * 3 + 3)),
    },
    {
      title: 'numbers',
      inputs: [noise([4], 12), ids],
      build: (t, i) => g.gather(t, i),
      expected: (t, i) => i.data.map((id) => t.data[id]!),
    },
    {
      title: 'by one id',
      inputs: [noise([4, 3], 13), ints([], [2])],
      build: (t, i) => g.gather(t, i),
      expected: (t) => t.data.slice(6, 9),
    },
    {
      title: 'integers',
      inputs: [ints([4], [9, 8, 7, 6]), ids],
      build: (t, i) => g.gather(t, i),
      expected: () => [6, 9, 6, 7],
    },
  ],
  scatterAdd: [
    {
      title: 'rows, one twice',
      inputs: [ids, noise([2, 2, 3], 14)],
      build: (i, u) => g.scatterAdd(i, u, 5),
      expected: (i, u) => scatterRows(i, u, 5),
    },
    {
      title: 'numbers',
      inputs: [ids, noise([2, 2], 15)],
      build: (i, u) => g.scatterAdd(i, u, 4),
      expected: (i, u) => scatterRows(i, u, 4),
    },
    {
      title: 'onto another',
      inputs: [ids, noise([2, 2, 3], 16), noise([4, 3], 17)],
      build: (i, u, y) => g.add(g.scatterAdd(i, u, 4), g.mul(y, 2)),
      expected: (i, u, y) => scatterRows(i, u, 4).map((s, k) => s + 2 * y.data[k]!),
    },
  ],
  takeAlong: [
    {
      title: 'of rows',
      inputs: [noise([2, 2, 4], 18), ids],
      build: (x, i) => g.takeAlong(x, i),
      expected: (x, i) => i.data.map((id, r) => x.data[r * 4 + id]!),
    },
    {
      title: 'of minus infinity',
      inputs: [nd([2, 2], [-Infinity, 1, 2, -Infinity]), ints([2], [1, 1])],
      build: (x, i) => g.takeAlong(x, i),
      expected: () => [1, -Infinity],
      valuesOnly: true,
    },
  ],
  putAlong: [
    {
      title: 'into rows',
      inputs: [ids, noise([2, 2], 19)],
      build: (i, u) => g.putAlong(i, u, 5),
      expected: (i, u) =>
        build([2, 2, 5], (index) =>
          index[2] === i.data[ravel(index.slice(0, 2), [2, 2])] ? u.data[ravel(index.slice(0, 2), [2, 2])]! : 0,
        ),
    },
    {
      title: 'onto others',
      inputs: [ids, noise([2, 2], 20), noise([2, 2, 5], 21)],
      build: (i, u, y) => g.sub(g.softmax(y), g.putAlong(i, u, 5)),
      expected: (i, u, y) =>
        rows(y, softmaxOf).map((p, k) => (k % 5 === i.data[Math.floor(k / 5)] ? p - u.data[Math.floor(k / 5)]! : p)),
    },
  ],
  dynamicUpdateSlice: [
    {
      title: 'amid the second axis',
      inputs: [noise([2, 5, 3], 27), noise([2, 2, 3], 28), ints([], [2])],
      build: (x, u, start) => g.dynamicUpdateSlice(x, u, start, 1),
      expected: (x, u, start) => replaced(x, u, start.data[0]!, 1),
    },
    {
      title: 'at the beginning',
      inputs: [noise([4, 3], 29), noise([1, 3], 30), ints([], [0])],
      build: (x, u, start) => g.dynamicUpdateSlice(x, u, start, 0),
      expected: (x, u, start) => replaced(x, u, start.data[0]!, 0),
    },
    {
      title: 'at the end',
      inputs: [noise([2, 4], 31), noise([2, 3], 32), ints([], [1])],
      build: (x, u, start) => g.dynamicUpdateSlice(x, u, start, 1),
      expected: (x, u, start) => replaced(x, u, start.data[0]!, 1),
    },
    {
      title: 'the whole, of integers',
      inputs: [ints([2], [1, 2]), ints([2], [3, 4]), ints([], [0])],
      build: (x, u, start) => g.dynamicUpdateSlice(x, u, start, 0),
      expected: () => [3, 4],
    },
  ],

  matmul: [
    ...matmulCases,
    {
      title: 'one matrix for all',
      inputs: [noise([2, 3, 4], 22), noise([4, 5], 23)],
      build: (a, b) => g.matmul(a, b),
      expected: (a, b) => product(false, false, 1)(nd([6, 4], a.data), b),
    },
    {
      title: 'with a bias',
      inputs: [noise([2, 3, 4], 22), noise([4, 5], 23), noise([5], 24)],
      build: (a, b, bias) => g.add(g.matmul(a, b), bias),
      expected: (a, b, bias) => zip((y, z) => y + z, nd([6, 5], product(false, false, 1)(nd([6, 4], a.data), b)), bias),
    },
    {
      title: 'added onto others',
      inputs: [noise([2, 3], 27), noise([2, 5], 28)],
      build: (a, b) => {
        const times = (scale: number) => g.matmul(a, b, { transposeA: true, scale })
        return g.add(g.add(times(1), times(2)), times(0.5))
      },
      expected: (a, b) => product(true, false, 3.5)(a, b),
    },
    {
      title: 'of transposed ones',
      inputs: [noise([4, 3], 25), noise([5, 4], 26)],
      build: (a, b) => g.matmul(g.transpose(a, [1, 0]), g.transpose(b, [1, 0])),
      expected: (a, b) => product(true, true, 1)(a, b),
    },
  ],
  softmax: [
    { title: 'rows', inputs: [x234], build: (x) => g.softmax(x), expected: (x) => rows(x, softmaxOf) },
    { title: 'logits of ±1e4', inputs: [big], build: (x) => g.softmax(x), expected: (x) => rows(x, softmaxOf) },
    {
      title: 'logits of minus infinity',
      inputs: [nd([2, 2], [-Infinity, 0, 1, 1])],
      build: (x) => g.softmax(x),
      expected: () => [0, 1, 0.5, 0.5],
      valuesOnly: true,
    },
  ],
  logSoftmax: [
    { title: 'rows', inputs: [x234], build: (x) => g.logSoftmax(x), expected: (x) => rows(x, logSoftmaxOf) },
    { title: 'logits of ±1e4', inputs: [big], build: (x) => g.logSoftmax(x), expected: (x) => rows(x, logSoftmaxOf) },
  ],
  layerNorm: [
    {
      title: 'rows of 5',
      inputs: normInputs,
      build: (x, gain, bias) => g.layerNorm(x, gain, bias, 1e-5),
      expected: (x, gain, bias) => {
        const normal = rows(x, (row) =>
          row.map((v) => (v - statistics(row, 1e-5).mean) * statistics(row, 1e-5).inverse),
        )
        return zip((n, a, b) => n * a + b, nd(x.shape, normal), gain, bias)
      },
    },
  ],
  layerNormMean: part('layerNormMean', 'mean'),
  layerNormInverse: part('layerNormInverse', 'inverse'),
  withGradient: [
    {
      title: 'the gradient that was said',
      inputs: [x23, row],
      build: (x, y) =>
        g.mul(
          g.withGradient(g.sum(x), [
            [x, g.mul(x, 3)],
            [y, g.exp(y)],
          ]),
          2,
        ),
      expected: (x) => [2 * total(x.data)],
      gradients: ([w], x, y) => [x.data.map((a) => 6 * w! * a), y.data.map((b) => 2 * w! * Math.exp(b))],
    },
  ],
  recomputed: [
    {
      title: 'of two inputs, twice in a row',
      inputs: [x23, row],
      build: (x, y) => {
        const fn = (a: Tensor, b: Tensor): Tensor => g.mul(g.tanh(a), b)
        const once = g.recomputed([x, y], (a, b) => fn(a, b))
        return g.recomputed([once, y], (a, b) => fn(a, b))
      },
      expected: (x, y) => x.data.map((a, i) => Math.tanh(Math.tanh(a) * y.data[i % 3]!) * y.data[i % 3]!),
    },
  ],
} satisfies Record<Exclude<OpName, KernelOp>, readonly Case[]>
