import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import { grad, input } from '../../lib/graph/index.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import type { WholeTeacher } from '../../lib/model/losses.ts'
import type { SparseTeacher } from '../../lib/model/losses/sparse.ts'
import { Random } from '../../lib/util/random.ts'
import { identity, logSoftmax, softmax, table } from './problem.ts'
import type { Table } from './problem.ts'
import { assertClose, engine, evaluate, ids, plainKl, scalar } from './rig.ts'

/** What is known of the teacher at each token. */
type Known =
  | { readonly kind: 'sampled'; readonly ids: Table; readonly entropy: readonly number[] }
  | { readonly kind: 'topk'; readonly ids: Table; readonly logits: Table; readonly tail?: readonly number[] }

interface Problem {
  /** (N, C) and (V, C) */
  readonly hidden: Table
  readonly head: Table
  readonly labels: readonly number[]
  readonly teacher: Known
  readonly temperature: number
  readonly alpha: number
}

const [N, C, V] = [7, 4, 9]
const labels = [3, -1, 8, 0, -1, 2, 5]
const full = table(N, V, 'teacher')
const student = { hidden: table(N, C, 'student'), head: table(V, C, 'head'), labels }

const problemOf = (teacher: Known, temperature: number, alpha = 0.7): Problem => ({
  ...student,
  teacher,
  temperature,
  alpha,
})

/** The k likeliest of the teacher's tokens. */
function topk(k: number, T: number, others: 'bucket' | 'renormalise'): Known {
  const order = full.map((row) => [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, k))
  const logits = order.map((top, n) => top.map((id) => Math.fround(full[n]![id]! - full[n]![top[0]!]!)))
  const known = { kind: 'topk', ids: order, logits } as const
  if (others === 'renormalise') return known
  const rest = (top: readonly number[], n: number) => softmax(full[n]!, T).filter((_, id) => !top.includes(id))
  return { ...known, tail: order.map((top, n) => Math.fround(rest(top, n).reduce((sum, p) => sum + p, 0))) }
}

function sampled(count: number, T: number): Known {
  const random = new Random(1, 'draws')
  return {
    kind: 'sampled',
    ids: full.map(() => Array.from({ length: count }, () => random.below(V))),
    entropy: full.map((row) => Math.fround(entropyOf(softmax(row, T)))),
  }
}

describe('the loss of a sparse teacher', () => {
  const cases: [string, Problem][] = [
    ['five draws, at T = 1', problemOf(sampled(5, 1), 1)],
    ['one draw, at T = 2', problemOf(sampled(1, 2), 2)],
    ['thirty draws, most of them twice, at T = 3, alone', problemOf(sampled(30, 3), 3, 1)],
    ['the likeliest token and a bucket, at T = 1', problemOf(topk(1, 1, 'bucket'), 1)],
    ['four tokens and a bucket, at T = 2', problemOf(topk(4, 2, 'bucket'), 2)],
    ['four tokens and a bucket, at T = 0.5, alone', problemOf(topk(4, 0.5, 'bucket'), 0.5, 1)],
    ['all tokens and an empty bucket', problemOf(topk(V, 2, 'bucket'), 2)],
    ['four tokens renormalised, at T = 1', problemOf(topk(4, 1, 'renormalise'), 1)],
    ['four tokens renormalised, at T = 2', problemOf(topk(4, 2, 'renormalise'), 2)],
    ['one token renormalised, of which nothing is learnt', problemOf(topk(1, 2, 'renormalise'), 2)],
  ]
  for (const [what, problem] of cases) {
    for (const chunk of [1, 3, N, 1000]) {
      it(`of ${what}: its definition and the definition's finite differences, ${chunk} tokens at a time`, async (t) => {
        const found = await run(problem, chunk)
        assertClose(t, 'loss', [found.loss], [lossByDefinition(problem).loss], 2e-6)
        assertClose(t, 'kl', [found.kl + 1], [lossByDefinition(problem).kl + 1], 2e-6)
        assertClose(t, 'hidden', found.hidden, differences(problem, 'hidden'), 1e-5)
        assertClose(t, 'head', found.head, differences(problem, 'head'), 1e-5)
      })
    }
  }
})

describe('a sparse teacher', () => {
  it('teaches the same on TensorFlow.js', async (t) => {
    const other = await openEngine({ name: 'tfjs-cpu', threads: 1 })
    for (const known of [topk(4, 2, 'bucket'), topk(4, 2, 'renormalise'), sampled(5, 2)]) {
      const [found, expected] = [await run(problemOf(known, 2), 3, other), await run(problemOf(known, 2), 3)]
      for (const key of ['hidden', 'head'] as const) assertClose(t, key, found[key], expected[key], 5e-6)
    }
    await other.dispose()
  })

  it('tells forward KL alone', () => {
    const known: SparseTeacher = { kind: 'sampled', ids: input('ids', [N, 2], 'int32'), entropy: input('entropy', [N]) }
    const objective = { ...plainKl, weights: { 'forward-kl': 1, jsd: 1 } }
    const teacher = { temperature: input('temperature', []), alpha: input('alpha', []), objective, ...known }
    const [hidden, head] = [input('hidden', [N, C]), input('head', [V, C])]
    const all = { hidden, head, labels: input('labels', [N], 'int32'), teacher }
    assert.throws(() => distillLoss(all, 4), /Internal error: a few tokens of the teacher do not tell its jsd/)
  })

  it('is not heard where no token is to be learnt', async () => {
    const problem = problemOf(topk(4, 2, 'bucket'), 2)
    const base = await run(problem)
    assert.ok(problem.teacher.kind === 'topk')
    const other = problem.teacher.ids.map((row, n) => (labels[n]! < 0 ? row.map(() => 0) : row))
    assert.deepEqual(await run({ ...problem, teacher: { ...problem.teacher, ids: other } }), base)
  })

  for (const T of [1, 2]) {
    for (const others of ['bucket', 'renormalise'] as const) {
      it(`of all tokens is the whole teacher: ${others}, T = ${T}`, async (t) => {
        const [found, whole] = [await run(problemOf(topk(V, T, others), T)), await runWhole(T, 0.7)]
        for (const key of ['loss', 'kl'] as const) assertClose(t, key, [found[key]], [whole[key]], 2e-6)
        for (const key of ['hidden', 'head'] as const) assertClose(t, key, found[key], whole[key], 5e-6)
      })
    }

    it(`of two draws teaches, in the mean over all that may be drawn, as the whole teacher, T = ${T}`, async (t) => {
      const one = { ...student, hidden: [student.hidden[0]!], labels: [3] }
      const probs = softmax(full[0]!, T)
      const [mean, loss] = [Array<number>(V * C).fill(0), { kl: 0 }]
      for (let a = 0; a < V; a++) {
        for (let b = 0; b < V; b++) {
          const teacher: Known = { kind: 'sampled', ids: [[a, b]], entropy: [entropyOf(probs)] }
          const { head, kl } = await run({ ...one, teacher, temperature: T, alpha: 1 })
          const weight = probs[a]! * probs[b]!
          head.forEach((value, i) => (mean[i]! += weight * value))
          loss.kl += weight * kl
        }
      }
      const whole = await runWhole(T, 1, { ...one, teacher: [full[0]!] })
      assertClose(t, 'gradient', mean, whole.head, 2e-6)
      assertClose(t, 'kl', [loss.kl], [whole.kl], 1e-5)
    })
  }

  it('of more tokens and a bucket knows more, of all but one everything', async (t) => {
    const { kl: whole } = await runWhole(2, 1)
    let last = 0
    for (const k of [1, 2, 4, V - 1]) {
      const { kl } = await run(problemOf(topk(k, 2, 'bucket'), 2, 1))
      assert.ok(kl > last && kl < whole + 1e-6, `${k} tokens: ${kl} of ${whole}`)
      last = kl
    }
    assertClose(t, 'kl', [last], [whole], 2e-6)
  })

  it('renormalised pulls at the named tokens as if no others were: it is biased where a bucket hardly is', async () => {
    const { head } = await runWhole(2, 1)
    const far = async (others: 'bucket' | 'renormalise'): Promise<number> => {
      const found = await run(problemOf(topk(5, 2, others), 2, 1))
      return Math.hypot(...found.head.map((value, i) => value - head[i]!)) / Math.hypot(...head)
    }
    const [bucket, renormalise] = [await far('bucket'), await far('renormalise')]
    assert.ok(renormalise > 2 * bucket, `${renormalise}, ${bucket}`)
  })

  for (const T of [1, 4]) {
    const big = [1e4, -1e4, 0, 9999, 1e4, -1e4, 5, 0, 1]
    const extreme = { hidden: [big, big.map((x) => -x)], head: identity(V), labels: [1, 0], temperature: T, alpha: 0.5 }
    const teachers: [string, Known][] = [
      ['draws', { kind: 'sampled', ids: [[0, 1], [0, 0]], entropy: [0, 1] }], // prettier-ignore
      ['a bucket', { kind: 'topk', ids: [[1, 3], [0, 4]], logits: [[0, -3], [0, -65504]], tail: [0.25, 1e-30] }], // prettier-ignore
      ['an empty bucket', { kind: 'topk', ids: [[0, 1], [2, 3]], logits: [[0, 0], [0, -1]], tail: [0, 0] }], // prettier-ignore
      ['renormalised tokens', { kind: 'topk', ids: [[0, 1], [2, 3]], logits: [[0, 0], [0, -1]] }], // prettier-ignore
    ]
    for (const [what, teacher] of teachers) {
      it(`of ${what} and a student of extreme logits give the right numbers, at T = ${T}`, async (t) => {
        const problem = { ...extreme, teacher }
        const found = await run(problem)
        assertClose(t, 'loss', [found.loss], [lossByDefinition(problem).loss], 2e-6)
        for (const value of [...found.hidden, ...found.head]) assert.ok(Number.isFinite(value))
      })
    }
  }
})

interface Answer {
  readonly loss: number
  readonly kl: number
  readonly hidden: readonly number[]
  readonly head: readonly number[]
}

async function run(problem: Problem, chunk = 4, on = engine): Promise<Answer> {
  const { teacher, temperature, alpha } = problem
  const feeds: Record<string, TensorValue> = { temperature: scalar(temperature), alpha: scalar(alpha) }
  const ids = fed(feeds, teacher.ids)
  const column = (name: string, values: readonly number[]) => {
    feeds[name] = { shape: [values.length], data: Float32Array.from(values) }
    return input(name, [values.length])
  }
  const sparse = (): SparseTeacher => {
    if (teacher.kind === 'sampled') return { kind: 'sampled', ids, entropy: column('entropy', teacher.entropy) }
    const topk = { kind: 'topk', ids, logits: matrix(feeds, 'logits', teacher.logits) } as const
    return teacher.tail ? { ...topk, tail: column('tail', teacher.tail) } : topk
  }
  return answer(problem, feeds, sparse(), chunk, on)
}

async function runWhole(
  T: number,
  alpha: number,
  problem: Omit<Problem, 'teacher' | 'temperature' | 'alpha'> & { readonly teacher: Table } = {
    ...student,
    teacher: full,
  },
): Promise<Answer> {
  const feeds: Record<string, TensorValue> = { temperature: scalar(T), alpha: scalar(alpha) }
  const teacher = {
    hidden: matrix(feeds, 'teacherHidden', problem.teacher),
    head: matrix(feeds, 'teacherHead', identity(V)),
  }
  return answer(problem, feeds, teacher, 4)
}

async function answer(
  problem: Pick<Problem, 'hidden' | 'head' | 'labels'>,
  feeds: Record<string, TensorValue>,
  known: WholeTeacher | SparseTeacher,
  chunk: number,
  on = engine,
): Promise<Answer> {
  feeds['labels'] = ids([problem.labels.length], problem.labels)
  const [hidden, head] = [matrix(feeds, 'hidden', problem.hidden), matrix(feeds, 'head', problem.head)]
  const common = { temperature: input('temperature', []), alpha: input('alpha', []), objective: plainKl }
  const teacher = { ...common, ...known }
  const all = { hidden, head, labels: input('labels', [problem.labels.length], 'int32'), teacher }
  const { loss, terms } = distillLoss(all, chunk)
  const kl = terms['forward-kl']!
  const [dHidden, dHead] = grad(loss, [hidden, head])
  const found = await evaluate({ loss, kl, dHidden: dHidden!, dHead: dHead! }, feeds, new Map(), on)
  const values = (name: string): number[] => Array.from(found[name]!.data)
  return { loss: values('loss')[0]!, kl: values('kl')[0]!, hidden: values('dHidden'), head: values('dHead') }
}

function matrix(feeds: Record<string, TensorValue>, name: string, rows: Table) {
  const shape = [rows.length, rows[0]!.length]
  feeds[name] = { shape, data: Float32Array.from(rows.flat()) }
  return input(name, shape)
}

function fed(feeds: Record<string, TensorValue>, rows: Table) {
  const shape = [rows.length, rows[0]!.length]
  feeds['ids'] = ids(shape, rows.flat())
  return input('ids', shape, 'int32')
}

/** In float64, token by token. */
function lossByDefinition(problem: Problem): { loss: number; kl: number } {
  const { hidden, head, teacher, temperature: T, alpha } = problem
  const share = 1 / problem.labels.filter((label) => label >= 0).length
  let [ce, kl] = [0, 0]
  problem.labels.forEach((label, n) => {
    if (label < 0) return
    const logits = head.map((row) => row.reduce((sum, x, c) => sum + x * hidden[n]![c]!, 0))
    ce -= share * logSoftmax(logits, 1)[label]!
    kl += share * divergence(logSoftmax(logits, T), logits, teacher, n, T)
  })
  return { loss: alpha * T * T * kl + (1 - alpha) * ce, kl }
}

function divergence(ours: readonly number[], logits: readonly number[], teacher: Known, n: number, T: number): number {
  const named = teacher.ids[n]!
  if (teacher.kind === 'sampled') {
    return -named.reduce((sum, id) => sum + ours[id]! / named.length, 0) - teacher.entropy[n]!
  }
  const top = softmax(teacher.logits[n]!, T)
  if (!teacher.tail) {
    const among = logSoftmax(named.map((id) => logits[id]!), T) // prettier-ignore
    return top.reduce((sum, p, i) => sum + (p === 0 ? 0 : p * (Math.log(p) - among[i]!)), 0)
  }
  const tail = teacher.tail[n]!
  const inside = top.reduce((sum, p, i) => {
    const mass = p * (1 - tail)
    return sum + (mass === 0 ? 0 : mass * (Math.log(mass) - ours[named[i]!]!))
  }, 0)
  if (tail === 0) return inside
  return inside + tail * (Math.log(tail) - logSumExp(ours.filter((_, id) => !named.includes(id))))
}

/** Central differences of the definition's loss. */
function differences(problem: Problem, key: 'hidden' | 'head'): number[] {
  const step = 1e-4
  const moved = (at: number, by: number): number => {
    const width = problem[key][0]!.length
    const rows = problem[key].map((row, n) => row.map((x, c) => (n * width + c === at ? x + by : x)))
    return lossByDefinition({ ...problem, [key]: rows }).loss
  }
  return problem[key].flat().map((_, at) => (moved(at, step) - moved(at, -step)) / (2 * step))
}

function logSumExp(values: readonly number[]): number {
  const largest = Math.max(...values)
  return largest + Math.log(values.reduce((sum, x) => sum + Math.exp(x - largest), 0))
}

function entropyOf(probs: readonly number[]): number {
  return -probs.reduce((sum, p) => sum + (p === 0 ? 0 : p * Math.log(p)), 0)
}
