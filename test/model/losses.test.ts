import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TensorValue } from '../../lib/engine/index.ts'
import { grad, graph, input } from '../../lib/graph/index.ts'
import type { Graph, RunNode } from '../../lib/graph/index.ts'
import { Rows } from '../../lib/model/batches.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import type { LossOptions } from '../../lib/model/losses.ts'
import { Random } from '../../lib/util/random.ts'
import { dot, identity, logSoftmax, softmax, solve, table } from './problem.ts'
import type { Problem, Table } from './problem.ts'
import { assertClose, engine, ids, plainKl, scalar, splitOf } from './rig.ts'

interface Answer {
  readonly loss: number
  readonly ce: number
  readonly kl: number
  readonly hidden: readonly number[]
  readonly head: readonly number[]
}

const [N, V] = [11, 7]
const masked = [3, -1, 6, 0, -1, 2, 5, 5, 1, 4, -1]
const text: Problem = { hidden: table(N, 4, 'student'), head: table(V, 4, 'head'), labels: masked }
const taught = (temperature: number, alpha: number, W = V): Problem => ({
  ...text,
  teacher: { hidden: table(N, 3, 'teacher'), head: table(W, 3, "teacher's head"), temperature, alpha },
})

describe('the loss', () => {
  const cases: [string, Problem][] = [
    ['text alone', text],
    ['a teacher alone, at T = 1', taught(1, 1)],
    ['a teacher alone, at T = 5', taught(5, 1)],
    ['a teacher and text, at T = 2', taught(2, 0.7)],
    ['a teacher without a say', taught(2, 0)],
    ['a teacher of more tokens than the student', taught(2, 0.7, V + 3)],
    ['a teacher of fewer tokens than the student', taught(2, 0.7, V - 2)],
  ]
  for (const [what, problem] of cases) {
    for (const chunk of [1, 3, 4, N - 1, N, N + 1, 1000]) {
      it(`of ${what} is its definition, ${chunk} tokens at a time`, async (t) => {
        const found = await run(problem, { chunk })
        const expected = byDefinition(problem)
        for (const key of ['loss', 'ce', 'kl'] as const) assertClose(t, key, [found[key]], [expected[key]], 2e-6)
        for (const key of ['hidden', 'head'] as const) assertClose(t, key, found[key], expected[key], 2e-6)
      })
    }
  }
})

describe('chunks of which gradients will be asked for', () => {
  const [N, C, D, V] = [8, 4, 3, 5]
  const inputs = {
    hidden: input('hidden', [N, C]),
    head: input('head', [V, C]),
    labels: input('labels', [N], 'int32'),
  }
  const teacher = {
    hidden: input('teacherHidden', [N, D]),
    head: input('teacherHead', [V, D]),
    ...{ temperature: input('temperature', []), alpha: input('alpha', []), objective: plainKl },
  }
  const madeOf = (asked: LossOptions['asked']): Graph => {
    const { loss } = distillLoss({ ...inputs, teacher }, 2, { asked: asked ?? [] })
    const [dHidden, dHead] = grad(loss, [inputs.hidden, inputs.head])
    return graph({ outputs: { loss, dHidden: dHidden!, dHead: dHead! } })
  }

  it('come one after another, so that the logits of one exist at a time', () => {
    const { nodes } = madeOf(['hidden', 'head'])
    const at = (which: (node: RunNode) => boolean): number[] => nodes.flatMap((node, i) => (which(node) ? [i] : []))
    const isProduct = (node: RunNode, shape: readonly number[]): boolean =>
      node.op === 'matmul' && node.shape.join() === shape.join()
    const logits = at((node) => isProduct(node, [2, V]))
    const done = [
      [2, C],
      [V, C],
    ].map((shape) => at((node) => isProduct(node, shape)))
    assert.deepEqual([logits.length, done[0]!.length, done[1]!.length], [8, 4, 4]) // the teacher's and the student's
    for (const ends of done) {
      ends.slice(0, -1).forEach((end, chunk) => assert.ok(end < logits[2 * (chunk + 1)]!, `chunk ${chunk}`))
    }
  })

  it("sum the head's gradient on the way: nothing but the sum keeps a chunk's", () => {
    const { nodes } = madeOf(['hidden', 'head'])
    const products = nodes.filter(({ op, shape }) => op === 'matmul' && shape.join() === [V, C].join())
    const users = products.slice(1).map((product) => nodes.filter(({ inputs: from }) => from.includes(product)))
    assert.deepEqual(
      users.map((all) => all.map(({ op }) => op)),
      [['add'], ['add'], ['add']],
    )
  })

  it('are to the last bit what they are in any order', async () => {
    const random = (shape: number[], seed: number): TensorValue => {
      const draws = new Random(seed, 'draws')
      return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draws.normal()) }
    }
    const feeds = {
      hidden: random([N, C], 1),
      head: random([V, C], 2),
      labels: ids([N], [0, 1, -1, 3, 4, 0, 2, 1]),
      teacherHidden: random([N, D], 3),
      teacherHead: random([V, D], 4),
      ...{ temperature: scalar(2), alpha: scalar(0.7) },
    }
    const [free, inTurn] = [undefined, ['hidden', 'head'] as const].map(async (asked) => {
      const program = await engine.compile(madeOf(asked))
      const found = await program.run(feeds)
      await program.dispose()
      return found
    })
    assert.deepEqual(await inTurn, await free)
  })
})

describe('a token without a label', () => {
  const problem = taught(2, 0.7)

  it('neither learns nor counts, in either loss', async () => {
    const base = await run(problem)
    const other = (rows: Table): Table => rows.map((row, n) => (masked[n]! < 0 ? row.map((x) => 3 - x) : row))
    const teacher = { ...problem.teacher!, hidden: other(problem.teacher!.hidden) }
    assert.deepEqual(await run({ ...problem, hidden: other(problem.hidden), teacher }), base)
    base.hidden.forEach((value, i) => assert.equal(value === 0, masked[Math.floor(i / 4)]! < 0))
  })

  it('is the last of a row cut short: labels are shifted once, and the mask with them', () => {
    const rows = new Rows(splitOf(Uint16Array.of(5, 3, 0, 6, 2, 4, 1), [0]), 4)
    const { tokens, labels, valid } = rows.feeds([1, 0, 2])
    assert.deepEqual(tokens, ids([3, 4], [2, 4, 0, 0, 5, 3, 0, 6, 0, 0, 0, 0]))
    assert.deepEqual(labels, ids([12], [4, 1, -1, -1, 3, 0, 6, 2, -1, -1, -1, -1]))
    assert.equal(valid, 6)
  })
})

for (const [what, problem] of [
  ['text', text],
  ['a teacher', taught(2, 0.7)],
] as const) {
  describe(`the loss per valid token, of ${what}`, () => {
    const whole = run(problem)

    it('is the same for a batch twice over', async (t) => {
      const twice = await run(rowsOf(problem, [...masked.keys(), ...masked.keys()]))
      assertSame(t, twice, { ...(await whole), hidden: twice.hidden })
      const half = (await whole).hidden.map((value) => value / 2)
      assertClose(t, 'hidden', twice.hidden, [...half, ...half], 1e-6)
    })

    it('is the same for a padded batch', async (t) => {
      const padding = rowsOf(problem, [0, 5, 8])
      const longer = await run(joined(problem, { ...padding, labels: [-1, -1, -1] }))
      assertSame(t, longer, { ...(await whole), hidden: [...(await whole).hidden, ...Array<number>(12).fill(0)] })
    })

    for (const cuts of [
      [0, 1, 11],
      [0, 2, 3, 9, 11],
      [0, 10, 11],
    ]) {
      it(`adds up over micro-batches cut at ${cuts.join()}`, async (t) => {
        const parts = cuts.slice(1).map((end, n) => range(cuts[n]!, end))
        const found: Answer[] = []
        for (const part of parts) found.push(await run(rowsOf(problem, part), { weight: 8 }))
        const sum = (of: (answer: Answer) => number): number => found.reduce((total, one) => total + of(one), 0)
        const added = { loss: sum(({ loss }) => loss), ce: sum(({ ce }) => ce), kl: sum(({ kl }) => kl) }
        const head = (await whole).head.map((_, i) => sum((answer) => answer.head[i]!))
        assertSame(t, { ...added, head, hidden: found.flatMap(({ hidden }) => hidden) }, await whole)
      })
    }

    it('is 0 for a batch without any, and no gradient is NaN', async () => {
      const none = await run({ ...problem, labels: masked.map(() => -1) })
      assert.deepEqual([none.loss, none.ce, none.kl], [0, 0, 0])
      assert.deepEqual(
        [...none.hidden, ...none.head].filter((value) => value !== 0),
        [],
      )
    })
  })
}

describe('extreme logits', () => {
  const big = [1e4, -1e4, 0, 9999, 1e4, -1e4, 5]
  const [up, down] = [big, big.map((x) => -x)]
  const cases: [string, Table, Table, readonly number[]][] = [
    ['of the student, right or wrong', [up, up, down, down], [[0], [0], [0], [0]], [0, 1, 0, 1]],
    [
      'of a teacher who is sure',
      [[0], [0], [0], [0]].map(() => Array<number>(7).fill(0.5)),
      [up, down, up, down],
      [0, 1, 2, 3],
    ],
    ['of both, agreed', [up, down], [up, down], [0, 1]],
    ['of both, opposed', [up, down], [down, up], [2, 3]],
  ]
  for (const [what, hidden, target, labels] of cases) {
    for (const temperature of [1, 4]) {
      it(`${what}: losses and gradients are numbers, and the right ones, at T = ${temperature}`, async (t) => {
        const width = target[0]!.length
        const head = width === 1 ? Array.from({ length: V }, () => [0]) : identity(V)
        const teacher = { hidden: target, head, temperature, alpha: 0.5 }
        const problem = { hidden, head: identity(V), labels, teacher }
        const found = await run(problem)
        const expected = byDefinition(problem)
        for (const key of ['loss', 'ce', 'kl'] as const) assertClose(t, key, [found[key]], [expected[key]], 2e-6)
        for (const key of ['hidden', 'head'] as const) assertClose(t, key, found[key], expected[key], 2e-6)
      })
    }
  }

  it('of a one-hot teacher make the KL the cross-entropy with its token', async (t) => {
    const labels = [3, 1]
    const hidden = table(2, V, 'student')
    const onehot = labels.map((label) => Array.from({ length: V }, (_, id) => (id === label ? 1e4 : -1e4)))
    const teacher = { hidden: onehot, head: identity(V), temperature: 1, alpha: 1 }
    const { kl, ce, hidden: gradient } = await run({ hidden, head: identity(V), labels, teacher })
    assertClose(t, 'kl', [kl], [ce], 1e-6)
    assertClose(t, 'gradient', gradient, (await run({ hidden, head: identity(V), labels })).hidden, 1e-6)
  })
})

describe('KL(teacher ‖ student)', () => {
  const between = (target: Table, student: Table, temperature = 1): Problem => ({
    hidden: student,
    head: identity(V),
    labels: student.map(() => 0),
    teacher: { hidden: target, head: identity(V), temperature, alpha: 1 },
  })

  it('is never below 0, and 0 only between equals', async () => {
    for (let n = 0; n < 20; n++) {
      const [one, other] = [table(1, V, `one ${n}`), table(1, V, `other ${n}`)]
      const apart = (await run(between(one, other))).kl
      assert.ok(apart > 0.01, `${apart}`)
      const shifted = one.map((row) => row.map((x) => x + 3)) // logits count up to a constant
      for (const equal of [one, shifted]) {
        const { kl, hidden } = await run(between(one, equal, 2))
        assert.ok(Math.abs(kl) < 1e-6, `${kl}`)
        assert.ok(Math.max(...hidden.map(Math.abs)) < 1e-6, hidden.join())
      }
    }
  })

  it("is the cross-entropy less the teacher's entropy", async (t) => {
    const [one, other] = [table(5, V, 'one'), table(5, V, 'other')]
    const mean = (of: (p: readonly number[], n: number) => number): number =>
      one.reduce((sum, row, n) => sum + of(softmax(row, 2), n), 0) / 5
    const crossEntropy = mean((p, n) =>
      dot(
        p,
        logSoftmax(other[n]!, 2).map((x) => -x),
      ),
    )
    const entropy = mean((p) => -p.reduce((sum, share) => sum + share * Math.log(share), 0))
    assertClose(t, 'kl', [(await run(between(one, other, 2))).kl], [crossEntropy - entropy], 1e-6)
  })

  it('takes the mean over the teacher, not over the student', async (t) => {
    const half = Math.log(0.5)
    const two = (p: number): Table => [[Math.log(p), Math.log(1 - p)]]
    const problem = { ...between(two(0.9), two(0.5)), head: identity(2) }
    const { kl } = await run({ ...problem, teacher: { ...problem.teacher!, head: identity(2) } })
    const expected = 0.9 * (Math.log(0.9) - half) + 0.1 * (Math.log(0.1) - half) // 0.368; the other way round 0.511
    assertClose(t, 'kl', [kl], [expected], 1e-6)
  })

  for (const T of [1, 2, 5]) {
    it(`has the gradient T·(p_s − p_t), of T²·KL, at T = ${T}`, async (t) => {
      const [target, student] = [table(1, V, 'target'), table(1, V, 'student')]
      const { loss, kl, hidden } = await run(between(target, student, T))
      assertClose(t, 'loss', [loss], [T * T * kl], 1e-6)
      const [ours, wanted] = [softmax(student[0]!, T), softmax(target[0]!, T)]
      assertClose(
        t,
        'closed form',
        hidden,
        ours.map((p, id) => T * (p - wanted[id]!)),
        2e-6,
      )
      const step = 2 ** -5
      const moved = async (at: number, by: number): Promise<number> =>
        (await run(between(target, [student[0]!.map((x, id) => (id === at ? x + by : x))], T))).loss
      const differences = []
      for (let id = 0; id < V; id++) differences.push(((await moved(id, step)) - (await moved(id, -step))) / (2 * step))
      assertClose(t, 'finite differences', hidden, differences, 2e-3)
    })
  }
})

type Context = Parameters<typeof assertClose>[0]

function assertSame(t: Context, found: Answer, expected: Answer): void {
  for (const key of ['loss', 'ce', 'kl'] as const) assertClose(t, key, [found[key]], [expected[key]], 1e-6)
  for (const key of ['hidden', 'head'] as const) assertClose(t, key, found[key], expected[key], 1e-6)
}

async function run(problem: Problem, options: { chunk?: number; weight?: number } = {}): Promise<Answer> {
  const { terms, ...rest } = await solve(problem, plainKl, options)
  return { ...rest, kl: terms['forward-kl'] ?? 0 }
}

/** In float64, token by token: what the teacher has no row for has no probability, what the student lacks no part. */
function byDefinition({ hidden, head, labels, teacher }: Problem): Answer {
  const share = 1 / labels.filter((label) => label >= 0).length
  const [alpha, T] = teacher ? [teacher.alpha, teacher.temperature] : [0, 1]
  const gradients = { hidden: hidden.map((row) => row.map(() => 0)), head: head.map((row) => row.map(() => 0)) }
  let [ce, kl] = [0, 0]
  labels.forEach((label, n) => {
    if (label < 0) return
    const logits = head.map((row) => dot(row, hidden[n]!))
    ce -= share * logSoftmax(logits)[label]!
    let dLogits = softmax(logits).map((p, id) => (1 - alpha) * share * (p - Number(id === label)))
    if (teacher) {
      const known = teacher.head.slice(0, head.length).map((row) => dot(row, teacher.hidden[n]!))
      const target = [...logSoftmax(known, T), ...Array<number>(head.length - known.length).fill(-Infinity)]
      const ours = logSoftmax(logits, T)
      target.forEach((log, id) => (kl += Math.exp(log) === 0 ? 0 : share * Math.exp(log) * (log - ours[id]!)))
      dLogits = dLogits.map((d, id) => d + alpha * T * share * (Math.exp(ours[id]!) - Math.exp(target[id]!)))
    }
    dLogits.forEach((d, id) => {
      head[id]!.forEach((x, c) => (gradients.hidden[n]![c]! += d * x))
      hidden[n]!.forEach((x, c) => (gradients.head[id]![c]! += d * x))
    })
  })
  return {
    loss: alpha * T * T * kl + (1 - alpha) * ce,
    ce,
    kl,
    hidden: gradients.hidden.flat(),
    head: gradients.head.flat(),
  }
}

/** These tokens of a problem, in this order. */
function rowsOf(problem: Problem, indices: readonly number[]): Problem {
  const { hidden, labels, teacher } = problem
  const take = <T>(from: readonly T[]): T[] => indices.map((n) => from[n]!)
  const rest = { ...problem, hidden: take(hidden), labels: take(labels) }
  return teacher ? { ...rest, teacher: { ...teacher, hidden: take(teacher.hidden) } } : rest
}

function joined(one: Problem, other: Problem): Problem {
  const rest = { ...one, hidden: [...one.hidden, ...other.hidden], labels: [...one.labels, ...other.labels] }
  if (!one.teacher) return rest
  return { ...rest, teacher: { ...one.teacher, hidden: [...one.teacher.hidden, ...other.teacher!.hidden] } }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
