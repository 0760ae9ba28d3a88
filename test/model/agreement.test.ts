import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { agreementOf } from '../../lib/model/agreement.ts'
import { hold } from '../../lib/model/likelihood.ts'
import type { Running } from '../../lib/model/likelihood.ts'
import { nextTokens } from '../../lib/model/next-tokens.ts'
import { initialise } from '../../lib/model/weights.ts'
import { Plain, quiet } from './plain.ts'
import { engine, splitOf, tiny, tinyNeo } from './rig.ts'

const vocabSize = 11
/** Larger than those of a new model, so that its distributions are not flat; more rows than there are tokens. */
const drawn = (config: ReturnType<typeof tiny>, seed: number): Running => {
  const weights = new Map(
    [...initialise(config, seed)].map(([name, { shape, data }]) => {
      return [name, { shape, data: shape.length === 1 ? data : data.map((value) => 10 * value) }] as const
    }),
  )
  return hold(engine, { config, weights })
}
const teacher = drawn(tinyNeo({ vocabSize: 14, width: 12, heads: 2 }), 1)
const student = drawn(tiny({ vocabSize: 13 }), 2)
const ids = Uint16Array.from({ length: 60 }, (_, i) => (7 * i + ((i * i) % 5)) % vocabSize)
const split = splitOf(ids, [0])
const options = { context: 12, batch: 2, tokens: 0, vocabSize }

describe('agreement with a teacher', () => {
  it('is the mean divergence and the share of equal guesses, by hand, over the tokens of the tokenizer', async () => {
    const [from, to] = [new Plain(teacher), new Plain(student)]
    const groups = new Map<number, { kl: number[]; same: number[] }>()
    for (let start = 0; start < 59; start += 12) {
      const row = Array.from(ids.subarray(start, Math.min(start + 12, 59)))
      const [taught, learnt] = [await from.logits(row), await to.logits(row)]
      row.forEach((_, t) => {
        const [p, q] = [distribution(taught[t]!), distribution(learnt[t]!)]
        const group = [8, 4, 2, 1, 0].find((least) => t >= least)!
        if (!groups.has(group)) groups.set(group, { kl: [], same: [] })
        groups.get(group)!.kl.push(p.reduce((sum, share, v) => sum + share * Math.log(share / q[v]!), 0))
        groups.get(group)!.same.push(Number(best(p) === best(q)))
      })
    }
    const found = await agreementOf(teacher, student, split, options, quiet)
    assert.equal(found.tokens, 59)
    assert.deepEqual(
      found.positions.map(({ from: first, tokens }) => [first, tokens]),
      [0, 1, 2, 4, 8].map((first) => [first, groups.get(first)!.kl.length]),
    )
    for (const { from: first, kl, top1 } of found.positions) {
      near(kl, mean(groups.get(first)!.kl))
      near(top1, mean(groups.get(first)!.same))
    }
    near(found.kl, mean([...groups.values()].flatMap(({ kl }) => kl)))
    near(found.top1, mean([...groups.values()].flatMap(({ same }) => same)))
    assert.ok(found.kl > 0.01 && found.top1 < 1)
  })

  it('is whole where the student is the teacher, and the same in whatever batch', async () => {
    const twin = drawn(tinyNeo({ vocabSize: 14, width: 12, heads: 2 }), 1)
    const { kl, top1 } = await agreementOf(teacher, twin, split, options, quiet)
    assert.ok(Math.abs(kl) < 1e-6)
    assert.equal(top1, 1)
    const [one, other] = [
      await agreementOf(teacher, student, split, { ...options, batch: 1 }, quiet),
      await agreementOf(teacher, student, split, { ...options, batch: 8 }, quiet),
    ]
    near(one.kl, other.kl)
    assert.equal(one.top1, other.top1)
  })

  it('takes as many tokens as it is told, and stops when it is told', async () => {
    assert.equal((await agreementOf(teacher, student, split, { ...options, tokens: 30 }, quiet)).tokens, 29)
    const stopped = { ...quiet, signal: AbortSignal.abort() }
    await assert.rejects(agreementOf(teacher, student, split, options, stopped), { name: 'AbortError' })
    const long = agreementOf(teacher, student, split, { ...options, context: 13 }, quiet)
    await assert.rejects(long, { code: 'CONTEXT_TOO_LONG' })
  })
})

it('the likeliest next tokens are the teacher\u2019s, with the probabilities of both, padding of the heads left out', () => {
  const decode = ([id]: readonly number[]): string => `w${id}`
  const found = nextTokens([0, Math.log(3), 0, 9], [0, 0, 0, 0, 7], { vocabSize: 3, most: 2, decode })
  assert.deepEqual(
    found.map(({ token }) => token),
    ['w1', 'w0'],
  )
  near(found[0]!.teacher, 3 / 5)
  near(found[0]!.student, 1 / 3)
})

function distribution(logits: readonly number[]): number[] {
  const powers = logits.slice(0, vocabSize).map(Math.exp)
  const total = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / total)
}

const best = (values: readonly number[]): number => values.indexOf(Math.max(...values))
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const near = (found: number, expected: number): void => {
  assert.ok(Math.abs(found - expected) < 1e-5, `expected ${expected}, found ${found}`)
}
