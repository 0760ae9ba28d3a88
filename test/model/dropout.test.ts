import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { constant, grad, graph, input, matmul, mul, recomputed, softmax, sum } from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { dropFeeds, dropping } from '../../lib/model/dropout.ts'
import { gpt } from '../../lib/model/gpt.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { perplexity } from '../../lib/model/perplexity.ts'
import { initialise, weightShapes, weightState } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { tested } from '../engine/engines.ts'
import { quiet } from './plain.ts'
import { dot } from './problem.ts'
import { assertClose, copied, engine, evaluate, ids, plainKl, tiny, tinyNeo, vector } from './rig.ts'
import { alone, config, inParts, newFolder, options, start, stateAfter, taught, text, trained } from './training.ts'
import type { Setup } from './training.ts'

const P = 2039
const rate = 0.3
/** Numbers of 0 … 2038 whose square's remainder is below the least that is kept: as many as are nearest to a share of 0.3. */
const dropped = 611
const squares = Array.from({ length: P }, (_, u) => (u * u) % P)
const least = [...squares].sort((a, b) => a - b)[dropped]!
const keeps = (u: number): boolean => squares[u % P]! >= least

/** Of the numbers of rows and columns. */
interface Drawn {
  readonly r: readonly number[]
  readonly q: readonly number[]
  readonly s: readonly number[]
  readonly p: readonly number[]
}

/** What is kept of ones (1, R, N), by an engine. */
async function maskOf({ r, q, s, p }: Drawn, on: Engine = engine): Promise<boolean[]> {
  const shape = [1, r.length, s.length]
  const y = dropping(rate)('place', input('x', shape))
  const x = { shape, data: new Float32Array(r.length * s.length).fill(1) }
  const found = await evaluate({ y }, { x, 'dropout/place': vector([...r, ...q, ...s, ...p]) }, new Map(), on)
  const scale = Math.fround(P / (P - dropped))
  return Array.from(found['y']!.data, (value) => {
    assert.ok(value === 0 || value === scale, String(value))
    return value !== 0
  })
}

const defined = ({ r, q, s, p }: Drawn): boolean[] =>
  r.flatMap((factor, i) => s.map((other, j) => keeps(factor * other + q[i]! + p[j]!)))

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const all = (value: number, count: number): number[] => new Array<number>(count).fill(value)

describe('masks', () => {
  for (const name of tested) {
    it(`are those of whole numbers, whatever is drawn: ${name}`, async () => {
      const on = await openEngine({ name, threads: 1 })
      try {
        // 2038 s + q is every number up to 2038² + 2038; with p up to 2 · 2038 more, which is the largest
        const columns = { s: upTo(P), p: all(0, P) }
        for (let first = 0; first < P; first += 400) {
          const q = upTo(P).slice(first, first + 400)
          const drawn = { r: all(P - 1, q.length), q, ...columns }
          assert.ok(same(await maskOf(drawn, on), defined(drawn)), `q from ${first}`)
        }
        const ends = { r: [0, 1, 1019, P - 2, P - 1], q: [0, P - 1, 1, P - 1, P - 1], s: upTo(P), p: all(P - 1, P) }
        assert.ok(same(await maskOf(ends, on), defined(ends)))
      } finally {
        await on.dispose()
      }
    })
  }

  // the numbers below were drawn once and for all: nothing here is left to chance
  it('keep the share that the rate leaves, at each place, and of any two entries and four corners as if drawn apart', async () => {
    const [draws, keep] = [4000, (P - dropped) / P]
    const shape: Pick<GptConfig, 'layers' | 'width' | 'heads'> = { layers: 1, width: 4, heads: 2 }
    const run = await maskRunner(tiny(shape))
    const entries = { embedding: [0, 1, 4, 5], output: [0, 3], attention: [0, 8] }
    const seen: Record<string, boolean[]>[] = []
    for (let step = 0; step < draws; step++) seen.push(await run(step))
    const of = (place: keyof typeof entries, at: number) => seen.map((masks) => masks[place]![at]!)
    const corners = entries.embedding.map((at) => of('embedding', at))
    const [a, b, c] = corners as [boolean[], boolean[], boolean[]]
    const others = [of('output', 0), of('attention', 0), of('attention', 8)] as const
    // of χ² with 1, 3 and 15 degrees of freedom one in a thousand is greater than 10.83, 16.27 and 37.70
    for (const one of [...corners, ...others]) assert.ok(chiSquare([one], keep) < 10.83)
    const next = [...a.slice(1), a[0]!]
    const pairs = [
      [a, b],
      [a, c],
      [b, c],
      [a, others[0]],
      [others[1], others[2]],
      [a, next],
    ]
    for (const pair of pairs) assert.ok(chiSquare(pair, keep) < 16.27)
    assert.ok(chiSquare(corners, keep) < 37.7)
  })

  it('are not alike in rows of which one is the other plus a number', async () => {
    const rows = [0, 1, 2, 7, 500]
    const found = await maskOf({ r: all(5, 5), q: rows, s: all(0, P), p: upTo(P) })
    const keep = (P - dropped) / P
    rows.slice(1).forEach((_, n) => {
      const both = upTo(P).filter((j) => found[j] && found[(n + 1) * P + j]).length / P
      assert.ok(Math.abs(both - keep ** 2) < 0.03, `${both} of ${keep ** 2}`)
    })
  })

  for (const [asked, drops] of [
    [0.1, 203],
    [0.0001, 1],
    [0.5, 1019],
    [0.9999, 2037],
  ] as const) {
    it(`drop as near to the rate as there are numbers, some and not all: ${asked}`, async () => {
      const y = dropping(asked)('place', input('x', [1, 1, P]))
      const x = { shape: [1, 1, P], data: new Float32Array(P).fill(1) }
      const fed = vector([0, 0, ...all(0, P), ...upTo(P)])
      const data = Array.from((await evaluate({ y }, { x, 'dropout/place': fed }))['y']!.data)
      assert.equal(data.filter((value) => value === 0).length, drops)
      assert.ok(Math.abs(data.reduce((a, b) => a + b) / P - 1) < 1e-6)
    })
  }

  it('are drawn anew in each step and each micro-batch, and at each place', () => {
    const at = { seed: 1, step: 3, part: 0 }
    const feeds = dropFeeds(tiny(), [2, 5], at)
    assert.deepEqual(dropFeeds(tiny(), [2, 5], at), feeds)
    const named = ['embedding', ...[0, 1].flatMap((n) => ['attention', 'output', 'mlp'].map((one) => `${n}.${one}`))]
    assert.deepEqual(
      Object.keys(feeds),
      named.map((name) => `dropout/${name}`),
    )
    const others = [
      { ...at, seed: 2 },
      { ...at, step: 4 },
      { ...at, part: 1 },
    ]
    const drawn = [at, ...others].flatMap((one) => Object.values(dropFeeds(tiny(), [2, 5], one)))
    assert.equal(new Set(drawn.map(({ data }) => data.slice(0, 10).join())).size, 4 * named.length)
  })

  it('are computed again where what they are of is', () => {
    const [q, keys] = [input('q', [1, 2, 3, 4]), input('keys', [1, 2, 3, 4])]
    const shares = (of: Tensor, other: Tensor): Tensor => softmax(matmul(of, other, { transposeB: true }))
    const mix = (of: Tensor, other: Tensor): Tensor => dropping(rate)('place', shares(of, other), of)
    const masks = (y: Tensor): number => {
      const loss = sum(mul(y, y))
      const { nodes } = graph({ outputs: { loss, dq: grad(loss, [q])[0]! } })
      return nodes.filter(({ op }) => op === 'greaterEqual').length
    }
    assert.deepEqual([masks(mix(q, keys)), masks(recomputed([q, keys], mix))], [1, 2])
  })
})

describe('a model that drops', () => {
  it('gives on average what one gives that does not, after one matrix', async (t) => {
    const draws = 3000
    const [x, W] = [normals([1, 3, 8], 'x'), normals([8, 4], 'W')]
    const product = (of: Tensor): Tensor => matmul(of, input('W', W.shape))
    const y = { plain: product(input('x', x.shape)), y: product(dropping(rate)('place', input('x', x.shape))) }
    const program = await engine.compile(graph({ outputs: y }))
    const random = new Random(1, 'draws')
    const [sums, powers] = [new Float64Array(12), new Float64Array(12)]
    let plain: TensorValue | undefined
    for (let n = 0; n < draws; n++) {
      const fed = vector(Array.from({ length: 22 }, () => random.below(P)))
      const found = await program.run({ x, W, 'dropout/place': fed })
      plain = found['plain']!
      found['y']!.data.forEach((value, i) => ((sums[i]! += value), (powers[i]! += value ** 2)))
    }
    await program.dispose()
    sums.forEach((total, i) => {
      const mean = total / draws
      const deviation = Math.sqrt((powers[i]! / draws - mean ** 2) / draws)
      const off = (mean - plain!.data[i]!) / deviation
      t.diagnostic(`${i}: ${off.toFixed(2)} standard errors`)
      assert.ok(Math.abs(off) < 4)
    })
  })

  for (const [name, shape] of Object.entries({ gpt2: tiny(), neo: tinyNeo() })) {
    it(`has the gradients that differences have, where the masks stay: ${name}`, async (t) => {
      const weights = copied(initialise(shape, 1, { deviation: 0.3 }))
      const [tokens, feeds] = [ids([2, 5], [1, 4, 2, 9, 3, 7, 12, 0, 5, 6]), dropFeeds(shape, [2, 5], someStep)]
      const weight = weightState(shape)
      const hidden = gpt(shape, weight, { tokens: input('tokens', [2, 5], 'int32'), drop: dropping(rate) })
      const loss = sum(mul(hidden, constant(normals([80], 'cotangent').data, [2, 5, 8])))
      const names = [...weightShapes(shape).keys()]
      const gradients = grad(loss, names.map(weight))
      const outputs = Object.fromEntries(gradients.map((gradient, n) => [names[n]!, gradient]))
      const found = await evaluate(outputs, { tokens, ...feeds }, weights)
      const program = await engine.compile(graph({ outputs: { loss } }))
      const memory = engine.memory()
      const lossAt = async (name: string, by: number): Promise<number> => {
        for (const [one, value] of weights) memory.write(one, shifted(value, one === name ? by : 0, one))
        return (await program.run({ tokens, ...feeds }, memory))['loss']!.data[0]!
      }
      const step = 2e-3
      for (const one of names) {
        const difference = ((await lossAt(one, step)) - (await lossAt(one, -step))) / (2 * step)
        assertClose(
          t,
          one,
          [difference],
          [dot(Array.from(found[one]!.data), directionOf(one, found[one]!.data.length))],
          1e-2,
        )
      }
      memory.dispose()
      await program.dispose()
    })
  }
})

describe('training with dropout', () => {
  const dropout = 0.2
  const setup = (of: Setup): Setup => ({ ...of, options: { ...of.options, dropout } })

  it('of 0 is training without', async () => {
    assert.deepEqual(await trained({ ...taught, options: { ...options, dropout: 0 } }), await trained(taught))
    assert.notDeepEqual((await trained(setup(taught))).points, (await trained(taught)).points)
  })

  for (const [what, of] of Object.entries({ alone, taught, inParts })) {
    it(`goes on with the masks that an unbroken one has: ${what}`, async () => {
      const [own, folder] = [setup(of), newFolder()]
      const whole = await trained(own)
      await stateAfter(own, 2, folder)
      assert.deepEqual(await trained(own, { folder }), whole)
    })
  }

  it('drops in the student alone: one who is taught by itself is not as it is itself', async () => {
    const none = { pairs: [], weight: 1 }
    const inner = { hidden: { ...none, loss: 'mse' }, attention: { ...none, loss: 'kl' } } as const
    const itself = { config, digest: 'itself', weights: start }
    const teacher = { shape: { kind: 'online', config, inner }, model: itself, objective: plainKl } as const
    const first = async (share: number): Promise<number> => {
      const own = { inputs: { ...text, teacher }, options: { ...options, dropout: share, validateEvery: 1 } }
      return (await trained(own)).points[0]!.terms!['forward-kl']!
    }
    assert.ok(Math.abs(await first(0)) < 1e-6)
    assert.ok((await first(dropout)) > 1e-5)
  })

  it('validates and is scored without', async (t) => {
    const { best, points, weights } = await trained({
      ...taught,
      options: { ...options, dropout: 0.5, validateEvery: 1 },
    })
    const packing = { context: 12, stride: 12, batch: 1, tokens: 0 }
    const lossOf = async (of: ReadonlyMap<string, TensorValue>): Promise<number> => {
      const { value } = await perplexity(hold(engine, { config, weights: copied(of) }), text.validation, packing, quiet)
      return Math.log(value)
    }
    assertClose(t, 'best', [best.loss], [await lossOf(weights)], 1e-6)
    const { best: first } = await trained({ ...taught, options: { ...options, dropout: 0.5, rate: noSteps } })
    assertClose(t, 'start', [first.loss], [await lossOf(start)], 1e-6)
    assert.ok(points.length > 0)
  })
})

const someStep = { seed: 1, step: 0, part: 0 }
const noSteps = { ...options.rate, steps: 0 }

const same = (a: readonly boolean[], b: readonly boolean[]): boolean =>
  a.length === b.length && a.every((one, i) => one === b[i])

function normals(shape: readonly number[], streamName: string): TensorValue {
  const random = new Random(1, streamName)
  const length = shape.reduce((a, b) => a * b, 1)
  return { shape, data: Float32Array.from({ length }, () => random.normal()) }
}

const directionOf = (name: string, length: number): number[] => Array.from(normals([length], name).data)

function shifted({ shape, data }: TensorValue, by: number, name: string): TensorValue {
  const direction = directionOf(name, data.length)
  return { shape, data: Float32Array.from(data, (value, i) => value + by * direction[i]!) }
}

/** The masks of a step by place, of (2, 4) tokens. */
async function maskRunner(shape: GptConfig): Promise<(step: number) => Promise<Record<string, boolean[]>>> {
  const [B, T, H, C] = [2, 4, shape.heads, shape.width]
  const shapes = { embedding: [B, T, C], attention: [B, H, T, T], output: [B, T, C], mlp: [B, T, C] }
  const drop = dropping(rate)
  const names = Object.entries(shapes)
  const outputs = Object.fromEntries(
    names.map(([name, of]) => [name, drop(name === 'embedding' ? name : `0.${name}`, constant(1, of))]),
  )
  const program = await engine.compile(graph({ outputs }))
  return async (step) => {
    const found = await program.run(dropFeeds(shape, [B, T], { ...someStep, step }))
    return Object.fromEntries(names.map(([name]) => [name, Array.from(found[name]!.data, (value) => value !== 0)]))
  }
}

/** Pearson's, of how often each combination was seen, against entries that are kept apart from each other. */
function chiSquare(entries: readonly (readonly boolean[])[], keep: number): number {
  const cells = new Array<number>(2 ** entries.length).fill(0)
  const draws = entries[0]!.length
  for (let n = 0; n < draws; n++) cells[entries.reduce((cell, one) => 2 * cell + Number(one[n]), 0)]!++
  return cells.reduce((total, count, cell) => {
    const kept = cell.toString(2).replaceAll('0', '').length
    const expected = draws * keep ** kept * (1 - keep) ** (entries.length - kept)
    return total + (count - expected) ** 2 / expected
  }, 0)
}
