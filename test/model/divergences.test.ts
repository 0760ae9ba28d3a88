import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { Objective } from '../../lib/model/losses.ts'
import type { LossName } from '../../lib/model/losses/divergence.ts'
import { divergences } from '../../lib/model/losses/divergences.ts'
import { dot, identity, logSoftmax, solve, table } from './problem.ts'
import type { Problem, Table } from './problem.ts'
import { assertClose, engine, plainKl, tensorsOf } from './rig.ts'

const names = Object.keys(divergences) as LossName[]
const plain: readonly LossName[] = ['mse-logits', 'argmax-ce']
const [beta, skew] = [0.3, 0.1]
const tfjs = await openEngine({ name: 'tfjs-cpu', threads: 1 })
after(() => tfjs.dispose())

/** As it is: no T². */
const alone = (name: LossName, over: Partial<Objective> = {}): Objective => ({
  ...{ weights: { [name]: 1 }, beta, skew, squareTemperature: false },
  ...over,
})

const V = 7

/** The student's logits and the teacher's, in rows. */
const between = (student: Table, target: Table, temperature = 1): Problem => ({
  hidden: student,
  head: identity(V),
  labels: student.map(() => 0),
  teacher: { hidden: target, head: identity(target[0]!.length), temperature, alpha: 1 },
})

/** A loss of one row of logits. */
const valueOf = async (name: LossName, problem: Problem, over: Partial<Objective> = {}): Promise<number> =>
  (await solve(problem, alone(name, over))).terms[name]!

for (const on of [engine, tfjs]) {
  describe(`PyTorch's losses on ${on.name}`, () => {
    const expected = tensorsOf(join(import.meta.dirname, '..', 'fixtures', 'losses', 'expected.safetensors'))
    const of = (key: string): Float32Array => expected.get(key)!.data as Float32Array
    const rows = (key: string): Table => {
      const width = expected.get(key)!.shape[1]!
      return Array.from({ length: of(key).length / width }, (_, n) => [...of(key).slice(n * width, (n + 1) * width)])
    }
    const labels = [3, -1, 6, 0, -1, 2, 5, 5, 1, 4, -1]
    const text = { hidden: rows('hidden'), head: rows('head'), labels }
    const target = { hidden: rows('teacher.hidden'), head: rows('teacher.head') }
    for (const name of names) {
      for (const temperature of [1, 2.5]) {
        for (const W of [V, V + 3, V - 2]) {
          it(`${name} at T = ${temperature}, the teacher knows ${W} of ${V} tokens`, async (t) => {
            const teacher = { ...target, head: target.head.slice(0, W), temperature, alpha: 1 }
            const found = await solve({ ...text, teacher }, alone(name), { on })
            const key = `${name}/${temperature}/${W}`
            for (const value of [found.loss, found.terms[name]!]) {
              assertClose(t, 'value', [value], of(`${key}/value`), 2e-6)
            }
            assertClose(t, 'hidden', found.hidden, of(`${key}/hidden`), 5e-6)
            assertClose(t, 'head', found.head, of(`${key}/head`), 5e-6)
          })
        }
      }
    }
  })
}

/** As the papers have them, of one row of logits, in float64. */
const definitions: Record<LossName, (student: readonly number[], target: readonly number[], T: number) => number> = {
  'forward-kl': soft((s, t) => kl(t, s)),
  'reverse-kl': soft((s, t) => kl(s, t.map(atLeast))),
  jsd: soft((s, t) => beta * kl(t, mix(beta, t, s)) + (1 - beta) * kl(s, mix(beta, t, s))),
  'symmetric-kl': soft((s, t) => (kl(t, s) + kl(s, t.map(atLeast))) / 2),
  'skew-kl': soft((s, t) => kl(t, mix(skew, t, s))),
  'skew-reverse-kl': soft((s, t) => kl(s, mix(skew, s, t))),
  'total-variation': soft((s, t) => s.reduce((sum, x, i) => sum + Math.abs(Math.exp(x) - Math.exp(t[i]!)) / 2, 0)),
  'mse-logits': (student, target) => target.reduce((sum, x, i) => sum + (student[i]! - x) ** 2 / target.length, 0),
  'argmax-ce': (student, target) => -logSoftmax(student)[target.indexOf(Math.max(...target))]!,
}

describe('the gradient is that of finite differences', () => {
  const [student, target] = [table(5, V, 'student'), table(5, V, 'target')]
  const factors: [string, boolean, (T: number) => number][] = [
    ['T² times the loss', true, (T) => T * T],
    ['the loss as it is', false, () => 1],
  ]
  for (const name of names) {
    for (const T of [1, 3]) {
      for (const [what, squareTemperature, factor] of factors) {
        it(`of ${name} at T = ${T}, ${what}`, async (t) => {
          const { loss, terms, hidden } = await solve(between(student, target, T), alone(name, { squareTemperature }))
          const times = plain.includes(name) ? 1 : factor(T)
          assertClose(t, 'term', [terms[name]!], [meanOf(name, student, target, T)], 2e-6)
          assertClose(t, 'loss', [loss], [times * meanOf(name, student, target, T)], 2e-6)
          const differences = differencesOf(name, student, target, T).map((value) => times * value)
          assertClose(t, 'gradient', hidden, differences, 1e-5)
        })
      }
    }
  }
})

describe('where probabilities underflow', () => {
  const big = [1e4, -1e4, 0, 9999, 1e4, -1e4, 5]
  const [up, down] = [big, big.map((x) => -x)]
  const flat = Array<number>(V).fill(0.5)
  const cases: [string, readonly number[], readonly number[]][] = [
    ['the student is sure', up, flat],
    ['the teacher is sure', flat, up],
    ['both are sure of the same', up, up],
    ['both are sure, of others', up, down],
    ['the teacher lacks what the student is sure of', [0, 0, 0, 0, 0, 200, 0], [1, 2, 3, 4, 5]],
    ['the student lacks what the teacher is sure of', [-1e4, 0, 1, 2, 3, 4, 5], [50, 0, 0, 0, 0, 0, 0]],
  ]
  for (const on of [engine, tfjs]) {
    for (const name of names) {
      for (const [what, student, target] of cases) {
        it(`${name} and its gradient are the right numbers on ${on.name}: ${what}`, async (t) => {
          for (const T of [1, 4]) {
            const found = await solve(between([student], [target], T), alone(name), { on })
            const value = meanOf(name, [student], [target], T)
            assertNear(t, 'value', [found.loss], [value], 2e-6 * Math.max(value, 1))
            const differences = differencesOf(name, [student], [target], T)
            assertNear(t, 'gradient', found.hidden, differences, 1e-5 * Math.max(...differences.map(Math.abs), 1))
          }
        })
      }
    }
  }

  it('a token that the teacher rules out costs at most 87 nats of the reverse KL', async (t) => {
    const problem = between([[0, 0, 0, 0, 0, 200, 0]], [[1, 2, 3, 4, 5]])
    assertClose(t, 'value', [await valueOf('reverse-kl', problem)], [126 * Math.LN2], 1e-6)
    assertClose(t, 'skewed', [await valueOf('skew-reverse-kl', problem)], [-Math.log(skew)], 1e-6)
  })
})

describe('a distance', () => {
  const [student, target] = [table(4, V, 'one'), table(4, V, 'other')]
  const distances = names.filter((name) => name !== 'argmax-ce')
  const bounds: Partial<Record<LossName, number>> = {
    jsd: -beta * Math.log(beta) - (1 - beta) * Math.log(1 - beta),
    'skew-kl': -Math.log(skew),
    'skew-reverse-kl': -Math.log(skew),
    'total-variation': 1,
  }

  for (const name of distances) {
    it(`of ${name} is above 0, and 0 with its gradient between equals`, async (t) => {
      assert.ok((await valueOf(name, between(student, target))) > 0.01)
      const { terms, hidden } = await solve(between(student, student, 2), alone(name))
      assertNear(t, 'value', [terms[name]!], [0], 1e-6)
      assertNear(t, 'gradient', hidden, Array<number>(4 * V).fill(0), 1e-6)
    })
  }

  for (const [name, bound] of Object.entries(bounds) as [LossName, number][]) {
    it(`of ${name} is ${bound.toFixed(3)} at most, between those who share nothing`, async (t) => {
      const opposed = between([[90, 0, 0, 0, 0, 0, 0]], [[0, 90, 0, 0, 0, 0, 0]])
      assertClose(t, 'value', [await valueOf(name, opposed)], [bound], 1e-6)
      assert.ok((await valueOf(name, between(student, target))) < bound)
    })
  }

  it('of logits counts a constant, which no other sees', async (t) => {
    const shifted = student.map((row) => row.map((x) => x + 3))
    for (const name of names) {
      const [base, moved] = [
        await valueOf(name, between(student, target)),
        await valueOf(name, between(shifted, target)),
      ]
      if (name !== 'mse-logits') assertNear(t, name, [moved], [base], 2e-6)
    }
    assertClose(t, 'mse-logits', [await valueOf('mse-logits', between(shifted, student))], [9], 1e-6)
  })
})

describe('the mixtures at their ends', () => {
  const problem = between(table(4, V, 'one'), table(4, V, 'other'), 2)
  const small = 2 ** -9
  const ends: [string, LossName, Partial<Objective>, number, LossName][] = [
    ['JSD/β is KL(teacher ‖ student) for small β', 'jsd', { beta: small }, small, 'forward-kl'],
    ['JSD/(1 − β) is KL(student ‖ teacher) for large β', 'jsd', { beta: 1 - small }, small, 'reverse-kl'],
    ['with little skew it is KL(teacher ‖ student)', 'skew-kl', { skew: small }, 1, 'forward-kl'],
    ['with little skew it is KL(student ‖ teacher)', 'skew-reverse-kl', { skew: small }, 1, 'reverse-kl'],
  ]
  for (const [what, name, over, divisor, end] of ends) {
    it(what, async (t) => {
      const [found, limit] = [await solve(problem, alone(name, over)), await solve(problem, alone(end))]
      assertClose(t, 'value', [found.loss / divisor], [limit.loss], 0.02)
      const gradient = found.hidden.map((value) => value / divisor)
      assertClose(t, 'gradient', gradient, limit.hidden, 0.02)
    })
  }

  it('of all but themselves nothing is left', async (t) => {
    for (const name of ['skew-kl', 'skew-reverse-kl'] as const) {
      assertNear(t, name, [await valueOf(name, problem, { skew: 1 - small })], [0], 1e-4)
    }
  })
})

describe("the cross-entropy with the teacher's likeliest token", () => {
  it('is that with the text, where the text says the same', async (t) => {
    const [student, target] = [table(4, V, 'one'), table(4, V, 'other')]
    const labels = target.map((row) => row.indexOf(Math.max(...row)))
    const { terms, ce, hidden } = await solve({ ...between(student, target, 3), labels }, alone('argmax-ce'))
    assertClose(t, 'value', [terms['argmax-ce']!], [ce], 1e-6)
    const { hidden: ofText } = await solve({ hidden: student, head: identity(V), labels }, plainKl)
    assertClose(t, 'gradient', hidden, ofText, 1e-6)
  })

  it('takes the first of equals, and no token that the student lacks', async (t) => {
    const student = table(1, V, 'one')
    const target = [[0, 2, 1, 2, 0, 0, 0, 9]]
    const problem = between(student, target)
    assertClose(t, 'value', [await valueOf('argmax-ce', problem)], [-logSoftmax(student[0]!)[1]!], 1e-6)
  })
})

describe('a sum of losses', () => {
  const problem = (alpha: number): Problem => {
    const one = between(table(5, V, 'one'), table(5, V, 'other'), 2)
    return { ...one, labels: [3, -1, 0, 6, 2], teacher: { ...one.teacher!, alpha } }
  }
  const weights = { 'reverse-kl': 0.5, 'total-variation': 2, 'mse-logits': 0.25 }

  for (const [squareTemperature, factor] of [
    [true, 4],
    [false, 1],
  ] as const) {
    it(`is that of each by its weight, and of the text; softened ones count ${factor} times`, async (t) => {
      const found = await solve(problem(0.7), { weights, beta, skew, squareTemperature }, { chunk: 2 })
      const each = await Promise.all(
        Object.entries(weights).map(async ([name, weight]) => {
          const solution = await solve(problem(1), alone(name as LossName))
          assertClose(t, name, [found.terms[name]!], [solution.loss], 2e-6)
          return [solution, 0.7 * weight * (name === 'mse-logits' ? 1 : factor)] as const
        }),
      )
      const { ce, loss, hidden } = found
      const text = await solve(problem(0), alone('forward-kl'))
      const shares = each.map(([, share]) => share)
      const losses = each.map(([solution]) => solution.loss)
      assertClose(t, 'loss', [loss], [dot(shares, losses) + 0.3 * ce], 2e-6)
      const gradient = hidden.map(
        (_, i) =>
          dot(
            shares,
            each.map(([solution]) => solution.hidden[i]!),
          ) +
          0.3 * text.hidden[i]!,
      )
      assertClose(t, 'gradient', hidden, gradient, 5e-6)
    })
  }

  it('of both directions is the symmetric KL', async (t) => {
    const halves = { ...plainKl, weights: { 'forward-kl': 0.5, 'reverse-kl': 0.5 } }
    const [sum, one] = [
      await solve(problem(1), halves),
      await solve(problem(1), { ...plainKl, weights: { 'symmetric-kl': 1 } }),
    ]
    assertClose(t, 'loss', [sum.loss], [one.loss], 1e-6)
    assertClose(t, 'gradient', sum.hidden, one.hidden, 1e-6)
  })
})

type Context = Parameters<typeof assertClose>[0]
type Row = readonly number[]

function assertNear(t: Context, what: string, found: Row, expected: Row, allowed: number): void {
  assert.equal(found.length, expected.length)
  const worst = Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))
  t.diagnostic(`${what}: largest difference ${worst.toExponential(1)}, allowed ${allowed.toExponential(1)}`)
  assert.ok(worst <= allowed, `${what}: expected ${expected.join()}, found ${found.join()}`)
}

const meanOf = (name: LossName, student: Table, target: Table, T: number): number =>
  student.reduce((sum, row, n) => sum + definitions[name](row, target[n]!, T) / student.length, 0)

/** With respect to each of the student's logits. */
function differencesOf(name: LossName, student: Table, target: Table, T: number): number[] {
  const step = 2 ** -16
  return student.flatMap((row, n) =>
    row.map((_, id) => {
      const moved = (by: number): Row => row.map((x, i) => (i === id ? x + by : x))
      const value = (by: number): number => definitions[name](moved(by), target[n]!, T) / student.length
      return (value(step) - value(-step)) / (2 * step)
    }),
  )
}

/** Of log-probabilities; what the teacher lacks has −∞. */
function soft(of: (student: Row, target: Row) => number): (student: Row, target: Row, T: number) => number {
  return (student, target, T) => {
    const lacking = Array<number>(student.length - target.length).fill(-Infinity)
    return of(logSoftmax(student, T), [...logSoftmax(target, T), ...lacking])
  }
}

/** Σ p (log p − log q), where 0 log 0 is 0. */
function kl(p: Row, q: Row): number {
  return p.reduce((sum, log, i) => (Math.exp(log) === 0 ? sum : sum + Math.exp(log) * (log - q[i]!)), 0)
}

function mix(share: number, a: Row, b: Row): Row {
  return a.map((log, i) => Math.log(share * Math.exp(log) + (1 - share) * Math.exp(b[i]!)))
}

function atLeast(log: number): number {
  return Math.max(log, -126 * Math.LN2)
}
