import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plan, touches } from '../../../lib/engine/cuda/plan.ts'
import type { Call, Plan } from '../../../lib/engine/cuda/plan.ts'
import type { CudaPrecision } from '../../../lib/engine/precision.ts'
import { printPlan } from '../../../lib/engine/cuda/print.ts'
import { isAttention } from '../../../lib/engine/cuda/view.ts'
import type { AttentionNode } from '../../../lib/engine/cuda/view.ts'
import { bytesOf } from '../../../lib/engine/cuda/storage.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Tensor } from '../../../lib/graph/index.ts'
import { adamW } from '../../../lib/model/optimizer.ts'
import { compileStep } from '../../../lib/model/steps.ts'
import { tiny } from '../../model/rig.ts'
import { graphsBy, maskedGraphs, trainingGraphs } from './sources.ts'

type Parts = Readonly<Record<string, Tensor>>

const planOf = (outputs: Parts, updates: Parts = {}, precision: CudaPrecision = 'fp32'): Plan =>
  plan(g.graph({ outputs, updates }), precision)

/** What the calls compute, kernels by their nodes. */
const lines = ({ calls }: Plan): string[] => calls.map(lineOf)

function lineOf(call: Call): string {
  if (call.kind === 'launch') return call.nodes.map(({ op }) => op).join(' ')
  return call.kind === 'multiply' && call.shape.accumulate ? '+multiply' : call.kind
}

const x = g.input('x', [64, 300])
const matrix = g.input('m', [300, 300])

describe('a plan fuses', () => {
  it('what goes entry by entry into one kernel, with reshapes and transposes', () => {
    const y = g.reshape(g.transpose(g.tanh(g.add(g.mul(x, 2), 1)), [1, 0]), [30, 640])
    assert.deepEqual(lines(planOf({ y })), ['transpose'])
  })

  it('a softmax, with what it is taken of, into one kernel that writes nothing else', () => {
    const found = planOf({ y: g.softmax(g.add(x, g.input('row', [300]))) })
    assert.deepEqual(lines(found), ['add max sum mul'])
    const pointers = found.calls.flatMap((call) => (call.kind === 'launch' ? call.source.pointers : []))
    assert.equal(pointers.length, 3)
  })

  it("a teacher's shares into the loss and its gradient, each made of the logits", () => {
    const logits = g.matmul(x, matrix)
    const logShares = g.logSoftmax(g.div(logits, g.input('temperature', [])))
    const shares = g.exp(logShares)
    const loss = g.sum(g.mul(shares, logShares))
    const found = planOf({ loss, gradient: g.mul(shares, loss) })
    const large = found.calls.flatMap(touches).filter(({ entries }) => entries === 64 * 300)
    assert.equal(new Set(large).size, 3) // x, the logits and the gradient
  })

  it("both models' logits into one kernel for the loss and its gradient, whatever the order", () => {
    const taught = (logits: Tensor, told: Tensor): Record<string, Tensor> => {
      const [mine, others] = [g.logSoftmax(logits), g.logSoftmax(told)]
      const loss = g.sum(g.sum(g.mul(g.exp(others), g.sub(others, mine)), [1]))
      const slope = g.after(g.input('slope', []), loss)
      return { loss, gradient: g.mul(g.sub(g.exp(mine), g.exp(others)), slope) }
    }
    const [logits, told] = [g.matmul(x, matrix), g.matmul(g.input('z', [64, 40]), g.input('n', [40, 300]))]
    const kernels = lines(planOf(taught(logits, told))).filter((line) => line !== 'multiply')
    assert.deepEqual(kernels, ['max sum log max sum log sum mul', 'sum'])
  })

  it('a layer norm with the sum before it, which is written as others need it', () => {
    const before = g.add(x, g.input('z', [64, 300]))
    const after = g.layerNorm(before, g.input('gain', [300]), g.input('bias', [300]), 1e-5)
    assert.deepEqual(lines(planOf({ before, y: g.mul(after, 2) })), ['add sum sum rsqrt mul'])
  })

  it('the rows of a table, a mask and one row of many into those that read them', () => {
    const ids = g.input('ids', [64], 'int32')
    const mask = g.where(g.greater(g.iota([64, 300], 0), g.iota([64, 300], 1)), g.constant(0), -1e9)
    const y = g.add(g.gather(g.input('table', [9, 300]), ids), mask)
    assert.deepEqual(lines(planOf({ y, sum: g.sum(y, [1]) })), ['clear', 'add sum'])
  })

  it('a weight and its moments into one kernel, in place', () => {
    const [w, m, v, gradient] = [g.state('w', [300]), g.state('m', [300]), g.state('v', [300]), g.input('dw', [300])]
    const first = g.add(g.mul(m, 0.9), g.mul(gradient, 0.1))
    const second = g.add(g.mul(v, 0.99), g.mul(g.square(gradient), 0.01))
    const updates = { w: g.sub(w, g.div(first, g.add(g.sqrt(second), 1e-8))), m: first, v: second }
    const found = planOf({}, updates)
    assert.deepEqual(lines(found), ['add add sub'])
    assert.equal(found.arena.bytes, 4 * 300 - ((4 * 300) % 256) + 256) // of the gradient alone
  })

  it('no kernel where a product takes rows as they lie', () => {
    const rows = g.matmul(g.slice(g.reshape(x, [64, 300]), [8, 0], [16, 300]), matrix)
    assert.deepEqual(lines(planOf({ rows })), ['multiply'])
  })

  it('a sum of products into the products', () => {
    const part = (n: number): Tensor =>
      g.matmul(g.slice(x, [16 * n, 0], [16, 300]), g.slice(x, [16 * n, 0], [16, 300]), { transposeA: true })
    const sum = [0, 1, 2, 3].map(part).reduce((a, b) => g.add(a, b))
    assert.deepEqual(lines(planOf({ sum })), ['multiply', '+multiply', '+multiply', '+multiply'])
  })

  it('a sum of products into the products, where what reads it on the way is what the next product waits for', () => {
    const rows = g.matmul(x, matrix)
    const first = g.matmul(rows, rows, { transposeA: true })
    const later = (wait: Tensor): Tensor => g.matmul(wait, x, { transposeA: true })
    const inTurn = g.add(first, later(g.after(x, first)))
    assert.deepEqual(lines(planOf({ inTurn })).slice(-1), ['+multiply'])
    const entry = g.reshape(g.slice(first, [0, 0], [1, 1]), [])
    // read by something else, which may come later, if only in place of what it computes; by the product; by who asked
    const unkept = { sum: g.add(first, later(g.add(x, entry))), shifted: g.sub(x, entry) }
    const beside = { sum: g.add(first, later(g.after(x, first))), norm: g.sum(g.square(first)) }
    const itself = { sum: g.add(first, g.matmul(first, matrix)) }
    for (const outputs of [beside, unkept, itself, { first, inTurn }]) {
      assert.ok(!lines(planOf(outputs)).includes('+multiply'), Object.keys(outputs).join())
    }
  })

  it('a whole training step of two layers into few kernels, equal ones of equal text', async () => {
    const [graph] = await trainingGraphs()
    const { calls } = plan(graph!, 'fp32')
    const texts = calls.flatMap((call) => (call.kind === 'launch' ? [call.source.text] : []))
    assert.ok(texts.length < 100, `${texts.length} launches`)
    assert.ok(new Set(texts).size < 60, `${new Set(texts).size} kernels`)
    const writes = calls.filter((call) => call.kind === 'copy')
    assert.deepEqual(writes, []) // all state is updated in place
  })
})

describe('a plan puts kernels of its own in the place of attention', () => {
  for (const precision of ['bf16', 'fp32', 'tf32'] as const) {
    it(`of both kinds of layers and of their gradients, which hold no scores, with ${precision}`, async () => {
      const [graph] = await trainingGraphs() // so large that a derivative computes shares again
      const { calls } = plan(graph!, precision)
      const attended = calls.flatMap((call) =>
        call.kind === 'launch' && call.nodes.some(isAttention) ? [lineOf(call)] : [],
      )
      const forward = 'attention attentionLogSum'
      // of three kernels each; GPT-2's one projection takes all gradients where they are written
      assert.deepEqual(attended, [forward, forward, ...Array<string>(6).fill('attentionGradient')])
      assert.ok(!lines({ calls } as Plan).includes('concat'))
      assert.ok(calls.flatMap(touches).every(({ entries }) => entries !== 8 * 12 * 1024 * 1024))
    })

    it(`reads queries, keys and values where a product has left them side by side, with ${precision}`, async () => {
      const [graph] = await trainingGraphs()
      const reads = plan(graph!, precision).calls.filter(
        (call) => call.kind === 'launch' && call.nodes.some(isAttention),
      )
      const [first] = reads as Extract<Call, { kind: 'launch' }>[]
      const [q, k, v] = first!.source.pointers.slice(2)
      assert.deepEqual([k!.storage, v!.storage], [q!.storage, q!.storage])
      assert.deepEqual([q!.offset, k!.offset, v!.offset], [0, 768, 1536])
      assert.equal(q!.storage.element, precision === 'bf16' ? 'bf16' : 'f32')
    })
  }

  /** Causal, of (B, T, H, D). */
  const attention = (q: Tensor, k: Tensor, v: Tensor): Tensor => {
    const [heads, place] = [
      (x: Tensor): Tensor => g.transpose(x, [0, 2, 1, 3]),
      (axis: number): Tensor => g.iota([1, 1, 64, 64], axis),
    ]
    const mask = g.where(g.greaterEqual(place(2), place(3)), g.constant(0), -1e9)
    const shares = g.softmax(g.add(g.matmul(heads(q), heads(k), { transposeB: true }), mask))
    return g.matmul(shares, heads(v))
  }
  const shape = [2, 64, 3, 16]

  it('copies a new value of state at the end where attention reads both', () => {
    const old = g.state('w', shape)
    const twice = g.mul(old, 2)
    const found = planOf({ y: attention(old, g.input('k', shape), twice) }, { w: twice })
    assert.deepEqual(lines(found), ['mul', 'attention', 'copy', 'transpose'])
  })

  it('has as much room for a gradient that nobody asks for as for one that is', () => {
    const [q, k, v] = [g.input('q', shape), g.input('k', shape), g.input('v', shape)]
    const [dq, dv] = g.grad(g.sum(g.square(attention(q, k, v))), [q, v])
    for (const precision of ['bf16', 'fp32'] as const) {
      const { calls } = planOf({ dq: g.exp(dq!), dv: g.exp(dv!) }, {}, precision)
      const own = calls.filter(
        (call) => call.kind === 'launch' && lineOf(call) === 'attentionGradient attentionGradient',
      )
      const tokens = own.flatMap(touches).filter(({ entries }) => entries === 2 * 64 * 3 * 16)
      assert.deepEqual(new Set(tokens.map(({ element }) => element)), new Set([precision === 'bf16' ? 'bf16' : 'f32']))
    }
  })

  /** How many kernels of each are of attention, for a layer one and three for its gradients, and the windows that they know. */
  const masked = {
    'a training within documents': [
      [8, 8, 0],
      [undefined, 256],
    ],
    'a training within segments, from positions': [[8], [undefined]],
    'a teacher within documents': [[2], [undefined, 256]],
    'scores of trees': [[2], [undefined]],
  } satisfies Record<keyof typeof maskedGraphs, unknown>
  for (const [name, [kernels, windows]] of Object.entries(masked)) {
    it(`in ${name}: no scores and no mask are held`, async () => {
      const graphs = await maskedGraphs[name as keyof typeof masked]()
      for (const precision of ['bf16', 'fp32', 'tf32'] as const) {
        const plans = graphs.map((graph) => plan(graph, precision))
        const attended = plans.map(({ calls }) => calls.flatMap(attentionsOf))
        assert.deepEqual(
          attended.map(({ length }) => length),
          kernels,
        )
        const nodes = attended.flat(2)
        assert.deepEqual(new Set(nodes.map(({ attributes }) => attributes.causal)), new Set([true]))
        assert.deepEqual(new Set(nodes.map(({ attributes }) => attributes.window)), new Set(windows))
        const pairs = [1, 8, 8 * 12].map((each) => each * 1024 * 1024)
        const held = plans.flatMap(({ calls }) => calls.flatMap(touches)).map(({ entries }) => entries)
        assert.deepEqual(
          held.filter((entries) => pairs.includes(entries)),
          [],
        )
      }
    })
  }
})

const attentionsOf = (call: Call): AttentionNode[][] =>
  call.kind === 'launch' && call.nodes.some(isAttention) ? [call.nodes.filter(isAttention)] : []

describe('a plan launches as one', () => {
  const blocksOf = ({ calls }: Plan): number[] =>
    calls.flatMap((call) => (call.kind === 'launch' ? [call.source.grid.blocks[0]] : []))
  const updated = (names: readonly string[], size: number): Plan => {
    const plus = (name: string): [string, Tensor] => [name, g.add(g.state(name, [size]), g.input(`d${name}`, [size]))]
    return planOf({}, Object.fromEntries(names.map(plus)))
  }

  it('equal kernels that do not need each other, as many as there is room for pointers', () => {
    const found = updated(['a', 'b', 'c'], 300)
    assert.deepEqual(blocksOf(found), [6])
    const names = found.calls.flatMap((call) => (call.kind === 'launch' ? call.source.pointers : []))
    const places = names.map(({ storage: { place } }) => ('name' in place ? place.name : place.kind))
    assert.deepEqual(places, ['a', 'b', 'c', 'da', 'db', 'dc'])
    const many = Array.from({ length: 300 }, (_, i) => `w${i}`)
    assert.deepEqual(blocksOf(updated(many, 300)).sort(), [512, 88].sort())
  })

  it('not those of more blocks, though their text be the same', () => {
    const sizes = [1024, 2048]
    const updates = sizes.map((size): [string, Tensor] => [`w${size}`, g.exp(g.state(`w${size}`, [size]))])
    const found = planOf({}, Object.fromEntries(updates))
    const texts = found.calls.flatMap((call) => (call.kind === 'launch' ? [call.source.text] : []))
    assert.equal(new Set(texts).size, 1)
    assert.deepEqual(blocksOf(found).sort(), [4, 8])
  })

  it('not those of which one needs the other, or has to be there long before', () => {
    const again = (y: Tensor): Tensor => g.softmax(g.transpose(y, [1, 0]))
    const chained = again(again(g.input('square', [300, 300])))
    assert.equal(blocksOf(planOf({ chained })).length, 2)
    const large = (name: string): Tensor => g.tanh(g.matmul(g.input(name, [1024, 512]), g.input('by', [512, 512])))
    const products = ['x', 'y', 'z'].map((name) => g.matmul(large(name), g.input('to', [512, 8])))
    const found = planOf({ sum: g.sum(products.reduce((a, b) => g.add(a, b))) })
    assert.equal(lines(found).filter((line) => line === 'tanh').length, 3)
  })

  it('half of what a training step would have launched, in no more memory', async () => {
    const [step, accumulate] = await trainingGraphs()
    // bytes without: the order that makes launches one may keep 1 % more
    const alone = [
      { graph: step!, precision: 'fp32', bytes: 1738425856 },
      { graph: accumulate!, precision: 'fp32', bytes: 1738425088 },
      { graph: step!, precision: 'bf16', bytes: 1358711296 },
      { graph: accumulate!, precision: 'bf16', bytes: 1245355264 },
    ] as const
    for (const { graph, precision, bytes } of alone) {
      const { calls, arena } = plan(graph, precision)
      assert.ok(calls.length < 180, `${calls.length} calls`)
      assert.ok(arena.bytes <= 1.01 * bytes, `${arena.bytes} bytes, alone ${bytes}`)
    }
    const { calls } = plan(step!, 'bf16')
    assert.ok(calls.length < 172, `${calls.length} calls`)
  })

  it('the sums of a norm, and adds up as many at once as a kernel has pointers for', () => {
    const squares = Array.from({ length: 60 }, (_, i) => g.sum(g.square(g.input(`d${i}`, [300]))))
    const norm = g.sqrt(squares.reduce((a, b) => g.add(a, b)))
    const found = lines(planOf({ norm }))
    assert.deepEqual(found, [Array(58).fill('sum').join(' '), 'sum add', 'sum sqrt'])
  })
})

describe('a kernel over rows', () => {
  it('takes in nothing whose places do not come apart in them', () => {
    // 2 × 70 rows of 64, summed up in parts of 20 rows
    const [w, gain, bias] = [g.input('w', [300, 64]), g.input('gain', [64]), g.input('bias', [64])]
    const rows = g.reshape(g.matmul(g.input('h', [140, 300]), w), [2, 70, 64])
    const [dw, db] = g.grad(g.sum(g.square(g.tanh(g.layerNorm(rows, gain, bias, 1e-5)))), [w, bias])
    for (const precision of ['fp32', 'bf16'] as const) planOf({ dw: dw!, db: db! }, {}, precision)
  })
})

describe('a plan keeps what a kernel must not be given', () => {
  it('is two kernels where the second reads what other threads of the first write', () => {
    const shifted = g.softmax(g.transpose(g.softmax(x), [1, 0]))
    assert.deepEqual(lines(planOf({ shifted })), ['max sum', 'max exp sum mul'])
  })

  it('copies a new value at the end where the old one is read later, or by other threads', () => {
    const w = g.state('w', [300, 300])
    const turned = planOf({}, { w: g.transpose(w, [1, 0]) })
    assert.deepEqual(lines(turned), ['transpose', 'copy'])
    const later = planOf({ y: g.matmul(g.matmul(x, w), w) }, { w: g.exp(w) })
    assert.equal(lines(later).filter((line) => line === 'copy').length, 1)
    const alone = planOf({}, { w: g.exp(w) })
    assert.deepEqual(lines(alone), ['exp'])
  })

  it('writes a part of a state where it belongs, after all that reads it', () => {
    const w = g.state('w', [64, 300])
    const updates = { w: g.dynamicUpdateSlice(w, g.exp(g.input('part', [1, 300])), g.input('at', [], 'int32'), 0) }
    assert.deepEqual(lines(planOf({ y: g.tanh(w) }, updates)).slice(-1), ['dynamicUpdateSlice'])
    assert.ok(!lines(planOf({ y: g.tanh(w) }, updates)).includes('copy'))
  })
})

describe('a plan with products of bfloat16', () => {
  it('writes their operands as such where they are computed, and casts a weight once', () => {
    const w = g.state('w', [300, 300])
    const y = g.matmul(g.matmul(g.gelu(x), w), w)
    const found = planOf({ y }, {}, 'bf16')
    assert.deepEqual(lines(found), ['gelu', 'multiply', 'multiply'])
    assert.deepEqual(found.preparation.map(lineOf), ['state']) // once for all runs
    const changing = planOf({ y }, { w: g.mul(w, 2) }, 'bf16')
    assert.deepEqual([changing.preparation, lines(changing).includes('state')], [[], true])
    const products = found.calls.flatMap((call) => (call.kind === 'multiply' ? [call] : []))
    for (const { a, b } of products) assert.deepEqual([a.storage.element, b.storage.element], ['bf16', 'bf16'])
    assert.equal(products[0]!.b.storage, products[1]!.b.storage)
  })

  it("holds attention's scores and shares as such alone, for all that reads them", () => {
    const queries = g.input('q', [2, 3, 64, 16])
    const [keys, values] = [g.input('k', [2, 3, 512, 16]), g.input('v', [2, 3, 512, 16])]
    const shares = g.softmax(g.matmul(queries, keys, { transposeB: true }))
    const [dq, dv] = g.grad(g.sum(g.square(g.tanh(g.matmul(shares, values)))), [queries, values])
    const { calls } = planOf({ dq: dq!, y: g.exp(dv!) }, {}, 'bf16')
    const storages = calls.flatMap(touches)
    assert.ok(storages.every(({ entries }) => entries !== 2 * 3 * 64)) // maxima and sums to make shares of anew
    const large = new Set(storages.filter(({ entries }) => entries >= g.sizeOf(shares.shape)))
    assert.deepEqual(
      [...large].map(({ element }) => element),
      Array<string>(4).fill('bf16'), // with the gradients of both
    )
    const products = calls.flatMap((call) => (call.kind === 'multiply' ? [call.shape.output] : []))
    assert.deepEqual(products.sort(), ['bf16', 'bf16', 'bf16', 'bf16', 'f32']) // of which one is asked for
  })

  it('writes what products make as such, but for logits over a vocabulary', () => {
    const head = g.input('head', [9000, 300])
    const hidden = g.matmul(x, matrix)
    const logits = g.matmul(g.gelu(hidden), head, { transposeB: true })
    const { calls } = planOf({ y: g.sum(g.logSoftmax(g.div(logits, 2)), [1]) }, {}, 'bf16')
    const products = calls.flatMap((call) => (call.kind === 'multiply' ? [call.shape.output] : []))
    assert.deepEqual(products, ['bf16', 'f32'])
  })

  it('keeps float32 of what is asked for', () => {
    const [shares, values] = [g.softmax(g.input('s', [3, 8, 8])), g.input('v', [3, 8, 8])]
    const { outputs } = planOf({ shares, mixed: g.matmul(shares, values) }, {}, 'bf16')
    assert.deepEqual(
      [...outputs.values()].map(({ from }) => from.storage.element),
      ['f32', 'f32'],
    )
  })

  it('reads nothing else in a product, made by kernels or not', () => {
    const parts = ['a', 'b', 'c'].map((name) => g.input(name, [3, 8, 8]))
    const [a, b, c] = parts as [Tensor, Tensor, Tensor]
    const sum = g.add(g.matmul(a, b), g.matmul(b, c))
    const operands = [sum, g.exp(sum), g.matmul(a, c), g.reshape(g.matmul(c, a), [3, 4, 16])]
    const y = operands.map((one) => g.sum(g.matmul(one, one, { transposeB: true }))).reduce((x, z) => g.add(x, z))
    const found = planOf({ y, shown: g.softmax(operands[2]!) }, {}, 'bf16')
    const products = found.calls.flatMap((call) => (call.kind === 'multiply' ? [call] : []))
    for (const { a, b } of products) assert.deepEqual([a.storage.element, b.storage.element], ['bf16', 'bf16'])
    const casts = lines(found).filter((line) => line === 'matmul')
    assert.deepEqual(casts, []) // of what there is as bfloat16
    const added = products.filter(({ c }) =>
      products.some((one) => one.c.storage === c.storage && one.shape.accumulate),
    )
    assert.deepEqual(
      added.map(({ shape }) => shape.output),
      ['f32', 'f32'],
    )
  })
})

describe('a plan with rows of odd width', () => {
  const pitches = (outputs: Parts, precision: CudaPrecision): (number | undefined)[][] =>
    planOf(outputs, {}, precision).calls.flatMap((call) =>
      call.kind === 'multiply' ? [[call.shape.pitchA, call.shape.pitchB, call.shape.pitchC]] : [],
    )
  const head = g.state('head', [50257, 300])
  const logits = g.matmul(x, head, { transposeB: true })
  const gradient = g.softmax(logits)
  const back = g.matmul(gradient, head)

  it('has those of products begin where products are fast, and reads them row by row', () => {
    for (const precision of ['fp32', 'bf16'] as const) {
      const expected = [
        [undefined, undefined, 50304],
        [50304, undefined, undefined],
      ]
      assert.deepEqual(pitches({ back }, precision), expected)
    }
  })

  it('computes as many rows and columns as products are fast with, where there is room for them, and zeros', () => {
    const extents = (outputs: Parts, precision: CudaPrecision): number[][] =>
      planOf(outputs, {}, precision).calls.flatMap((call) =>
        call.kind === 'multiply' ? [[call.shape.m, call.shape.n, call.shape.k]] : [],
      )
    const turned = g.exp(g.matmul(gradient, x, { transposeA: true }))
    const expected = [
      [64, 50264, 300],
      [64, 300, 50264],
      [50264, 300, 64],
    ]
    for (const precision of ['fp32', 'bf16'] as const) assert.deepEqual(extents({ back, turned }, precision), expected)
    // the logits, which nothing else reads, are asked for as they are; those of a head that is fed have no room
    assert.deepEqual(extents({ logits }, 'fp32'), [[64, 50257, 300]])
    const fed = g.exp(g.matmul(x, g.input('fed', [50257, 300]), { transposeB: true }))
    assert.deepEqual(extents({ fed }, 'fp32'), [[64, 50257, 300]])
    const { calls } = planOf({ back, turned }, {}, 'bf16')
    const cleared = calls.flatMap((call) => (call.kind === 'clear pads' ? [call.storage] : []))
    const read = calls.flatMap((call) => (call.kind === 'multiply' ? call.padded : []))
    assert.deepEqual(new Set(cleared), new Set(read.filter(({ place }) => place.kind === 'temporary')))
    assert.equal(new Set(read).size, 2) // the head's copy, which is a memory's, and the gradient
    assert.equal(cleared.length, 1)
  })

  it('leaves those of inputs, outputs and short rows, and those that a product takes for others', () => {
    assert.deepEqual(pitches({ logits }, 'fp32'), [[undefined, undefined, undefined]])
    assert.deepEqual(pitches({ y: g.exp(g.matmul(x, g.input('short', [300, 61]))) }, 'fp32'), [
      [undefined, undefined, undefined],
    ])
    const other = g.matmul(g.reshape(gradient, [32, 2 * 50257]), g.input('long', [2 * 50257, 3]))
    assert.deepEqual(pitches({ other }, 'bf16').at(-1), [undefined, undefined, undefined])
  })
})

describe('the arena of a plan', () => {
  it('has nothing in two places at once, from the inputs to the outputs', async () => {
    const shape = { config: tiny(), rows: 2, context: 12, chunk: 5, teacher: undefined, optimizer: adamW, clip: 1 }
    const [graph] = await graphsBy((engine) => compileStep(engine, shape))
    for (const precision of ['fp32', 'bf16'] as const) {
      const { calls, offsets, inputs, outputs } = plan(graph!, precision)
      const [starts, ends] = [new Map([...inputs.values()].map((one) => [one, -1])), new Map<object, number>()]
      calls.forEach((call, i) => {
        for (const one of touches(call)) {
          starts.set(one, starts.get(one) ?? i)
          ends.set(one, i)
        }
      })
      for (const { from } of outputs.values()) ends.set(from.storage, calls.length)
      const storages = [...offsets.keys()]
      for (const a of storages) {
        for (const b of storages) {
          if (a === b || starts.get(a)! > (ends.get(b) ?? -1) || starts.get(b)! > (ends.get(a) ?? -1)) continue
          const [one, other] = [offsets.get(a)!, offsets.get(b)!]
          assert.ok(one + bytesOf(a) <= other || other + bytesOf(b) <= one)
        }
      }
      assert.ok(storages.length > 50)
    }
  })
})

describe('printPlan', () => {
  it('shows calls, shapes, bytes and each source once', () => {
    const y = g.add(g.matmul(g.exp(x), matrix), g.input('bias', [300]))
    const text = printPlan(planOf({ y }))
    assert.match(text, /^3 calls, 2 kernels, 0\.5 MB in the arena\n0 launch exp float32\[64,300\]: 75 × 256 threads; /)
    assert.match(
      text,
      /\n1 multiply 1 × \[64,300\]·\[300,300\] A·B f32: temporary f32 0\.1 MB, input "m" f32 0\.4 MB; /,
    )
    assert.equal(text.match(/__global__/g)?.length, 2)
  })
})
