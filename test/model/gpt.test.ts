import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TensorValue } from '../../lib/engine/index.ts'
import { grad, graph, input, sum } from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import { checkContext } from '../../lib/model/config.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { gpt } from '../../lib/model/gpt.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { initialise, weightShapes, weightState } from '../../lib/model/weights.ts'
import { assertClose, copied, engine, ids, tiny, tinyNeo } from './rig.ts'

interface Row {
  readonly tokens: readonly number[]
  readonly positions?: readonly number[]
  readonly segments?: readonly number[]
  readonly documents?: readonly number[]
}

const words = [3, 0, 12, 5, 7, 0, 1, 9, 4, 11, 2, 6]
const layouts: Record<string, Row> = {
  alone: { tokens: words },
  'padded left': { tokens: words, ...padded(4, 8, 0) },
  'padded right': { tokens: words, ...padded(0, 8, 4) },
  'of a tree': {
    tokens: words,
    positions: [0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 4, 5],
    segments: [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3],
  },
  'of two documents': { tokens: words, documents: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1] },
  'of two trees and padding': {
    tokens: words,
    positions: [0, 1, 2, 2, 3, 0, 1, 2, 1, 2, 0, 0],
    segments: [0, 0, 1, 2, 2, 0, 1, 1, 2, 2, -1, -1],
    documents: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1, -1],
  },
}

for (const [name, config] of Object.entries({ 'GPT-2': tiny(), 'GPT-Neo': tinyNeo() })) {
  for (const [layout, row] of Object.entries(layouts)) {
    it(`${name}, a row ${layout}: a token changes those that see it, to the last bit no other`, async () => {
      const { segments = words.map(() => 0), documents = words.map(() => 0) } = row
      const shown = (i: number, j: number): boolean =>
        segments[j]! >= 0 && (segments[j] === 0 || segments[j] === segments[i]) && documents[j] === documents[i]
      const sees = (i: number, j: number): boolean => i === j || (i > j && shown(i, j))
      await assertSeen(config, row, sees)
    })
  }

  describe(`padding in ${name}`, () => {
    const real = [3, 0, 12, 5, 0, 7, 7, 0]
    const weights = drawn(config)
    it('left or right, of whatever tokens, leaves the real ones what they are alone', async (t) => {
      const expected = flat(await (await compiled(config, { tokens: real }, weights))({ tokens: real }))
      for (const [left, right] of [
        [4, 0],
        [0, 4],
        [1, 3],
      ] as const) {
        const extra = padded(left, 8, right)
        const row = (pad: number): Row => ({
          tokens: [...Array<number>(left).fill(pad), ...real, ...Array<number>(right).fill(pad)],
          ...extra,
        })
        const run = await compiled(config, row(0), weights)
        const found = flat((await run(row(0))).slice(left, left + 8))
        assertClose(t, `${left} left, ${right} right`, found, expected, 2e-6)
        // 0 and 7 are real tokens too: what is padding its place says, not its id
        for (const pad of [7, 12]) assert.deepEqual(flat((await run(row(pad))).slice(left, left + 8)), found)
      }
    })
  })

  it(`${name} has no positions past its table`, async () => {
    checkContext(config, 12)
    assert.throws(() => checkContext(config, 13), { code: 'CONTEXT_TOO_LONG', message: /13 tokens.* has 12/ })
    const tokens = [...words, 1]
    await assert.rejects(compiled(config, { tokens }), /Internal error/)
  })
}

describe('a local layer', () => {
  const one = (attention: 'global' | 'local', window: number): GptConfig =>
    tinyNeo({ layers: 1, attention: [attention], window })

  for (const window of [1, 3, 11, 12]) {
    it(`sees j in (i − ${window}, i] and no more`, async () => {
      await assertSeen(one('local', window), { tokens: words }, (i, j) => j <= i && j > i - window)
    })
  }

  it('is what a global one is not', async () => {
    await assertSeen(one('global', 3), { tokens: words }, (i, j) => j <= i)
  })

  for (const layout of ['padded left', 'padded right', 'of a tree']) {
    it(`counts positions, not columns, in a row ${layout}`, async () => {
      const row = layouts[layout]!
      const { positions, segments } = row as Required<Row>
      const near = (i: number, j: number): boolean => positions[i]! - positions[j]! < 3
      const shown = (i: number, j: number): boolean =>
        segments[j]! >= 0 && (segments[j] === 0 || segments[j] === segments[i])
      await assertSeen(one('local', 3), row, (i, j) => i === j || (i > j && near(i, j) && shown(i, j)))
    })
  }
})

it('keeps what is small for the derivative, and computes the shares of attention and GELU again where they are large', () => {
  const [layers, heads] = [2, 16]
  const config = tiny({ layers, heads, width: 32, inner: 32_768, context: 2048 })
  const timesOf = (T: number): Record<string, number> => {
    const weight = weightState(config)
    const hidden = gpt(config, weight, { tokens: input('tokens', [1, T], 'int32') })
    const gradients = grad(sum(hidden), [...weightShapes(config).keys()].map(weight))
    const { nodes } = graph({ outputs: Object.fromEntries(gradients.map((gradient, n) => [`${n}`, gradient])) })
    return Object.fromEntries(
      ['softmax', 'gelu'].map((op) => [op, nodes.filter((node) => node.op === op).length / layers]),
    )
  }
  assert.deepEqual(timesOf(1024), { softmax: 1, gelu: 1 })
  assert.deepEqual(timesOf(2048), { softmax: 2, gelu: 2 })
})

it('GPT-Neo without the factor 1/√D is GPT-2 with queries √D times as large', async (t) => {
  const neo = tinyNeo({ attention: ['global', 'global'] })
  const weights = drawn(neo)
  const expected = await (await compiled(neo, { tokens: words }, weights))({ tokens: words })
  const found = await (await compiled(tiny(), { tokens: words }, asGpt2(weights, neo)))({ tokens: words })
  assertClose(t, 'hidden states', flat(found), flat(expected), 2e-6)
})

type Weights = ReadonlyMap<string, TensorValue>
type Numbers = TensorValue['data']
type Run = (row: Row) => Promise<Numbers[]>

/** Perturbs each token in turn: the hidden states that change are those that `sees` says, bit for bit. */
async function assertSeen(config: GptConfig, row: Row, sees: (i: number, j: number) => boolean): Promise<void> {
  const run = await compiled(config, row)
  const base = await run(row)
  for (const j of row.tokens.keys()) {
    const changed = await run({ ...row, tokens: row.tokens.map((id, at) => (at === j ? (id + 1) % 13 : id)) })
    const found = row.tokens.map((_, i) => Number(!same(changed[i]!, base[i]!)))
    assert.deepEqual(
      found,
      row.tokens.map((_, i) => Number(sees(i, j))),
      `token ${j}`,
    )
  }
}

/** Runs rows of this layout, one at a time: the final hidden state of each token. */
async function compiled(config: GptConfig, layout: Row, weights: Weights = drawn(config)): Promise<Run> {
  const shape = [1, layout.tokens.length]
  const row = (name: string): Tensor => input(name, shape, 'int32')
  const extra: Partial<Record<'positions' | 'segments' | 'documents', Tensor>> = {}
  for (const name of ['positions', 'segments', 'documents'] as const) if (layout[name]) extra[name] = row(name)
  const hidden = gpt(config, weightState(config), { tokens: row('tokens'), ...extra })
  const program = await engine.compile(graph({ outputs: { hidden } }))
  const { memory } = hold(engine, { config, weights: copied(weights) })
  return async (values) => {
    const feeds = Object.entries(values).map(([name, data]) => [name, ids(shape, data as number[])] as const)
    const { data } = (await program.run(Object.fromEntries(feeds), memory))['hidden']!
    return values.tokens.map((_, t) => data.slice(t * config.width, (t + 1) * config.width))
  }
}

/** Larger than those of a new model: attention that takes sides. */
function drawn(config: GptConfig): Weights {
  const larger = ({ shape, data }: TensorValue): TensorValue => ({
    shape,
    data: shape.length === 1 ? data : data.map((value) => 10 * value),
  })
  return new Map([...initialise(config, 1)].map(([name, value]) => [name, larger(value)]))
}

/** Queries times √D, keys and values in one matrix, and biases of 0. */
function asGpt2(neo: Weights, { width: C, heads, layers }: GptConfig): Weights {
  const weights = new Map(neo)
  for (let layer = 0; layer < layers; layer++) {
    const from = `transformer.h.${layer}.attn.attention`
    const to = `transformer.h.${layer}.attn`
    const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((one) => neo.get(`${from}.${one}.weight`)!.data)
    const fused = new Float32Array(C * 3 * C)
    for (let row = 0; row < C; row++) {
      const part = (data: TensorValue['data']) => data.subarray(row * C, (row + 1) * C)
      fused.set(
        part(q!).map((value) => value * Math.sqrt(C / heads)),
        row * 3 * C,
      )
      fused.set(part(k!), row * 3 * C + C)
      fused.set(part(v!), row * 3 * C + 2 * C)
    }
    weights.set(`${to}.c_attn.weight`, { shape: [C, 3 * C], data: fused })
    weights.set(`${to}.c_attn.bias`, { shape: [3 * C], data: new Float32Array(3 * C) })
    for (const kind of ['weight', 'bias']) weights.set(`${to}.c_proj.${kind}`, neo.get(`${from}.out_proj.${kind}`)!)
  }
  return weights
}

/** Positions and segments of a row of real tokens with padding around them. */
function padded(left: number, real: number, right: number): Required<Pick<Row, 'positions' | 'segments'>> {
  const around = (padding: number, of: (at: number) => number): number[] =>
    Array.from({ length: left + real + right }, (_, i) => (i < left || i >= left + real ? padding : of(i - left)))
  return { positions: around(0, (at) => at), segments: around(-1, () => 0) }
}

const same = (a: Numbers, b: Numbers): boolean => a.every((value, i) => Object.is(value, b[i]))
const flat = (rows: readonly Numbers[]): number[] => rows.flatMap((row) => [...row])
