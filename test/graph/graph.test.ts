import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as g from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'

const x = g.input('x', [2, 3])
const y = g.input('y', [2, 3])
const opsOf = (output: Tensor): string[] => g.graph({ outputs: { output } }).nodes.map(({ op }) => op)

describe('shapes', () => {
  const mistakes: readonly (readonly [string, () => unknown, RegExp])[] = [
    ['sum', () => g.add(x, g.input('z', [4])), /"add" of float32\[2,3\] and float32\[4\]: the shapes do not broadcast/],
    ['types', () => g.add(x, g.iota([2, 3], 0)), /"add" of float32\[2,3\] and int32\[2,3\]: expected input 1 to be/],
    [
      'product',
      () => g.matmul(x, y),
      /"matmul" of float32\[2,3\] and float32\[2,3\]: the inner lengths 3 and 2 differ/,
    ],
    ['reshape', () => g.reshape(x, [4]), /"reshape" of float32\[2,3\]: it cannot become \[4\]/],
    ['reshape to what divides not', () => g.reshape(x, [4, -1]), /\[4,1.5\] is no shape/],
    ['permutation', () => g.transpose(x, [0, 0]), /\[0,0\] is no permutation/],
    ['broadcast', () => g.broadcastTo(x, [3]), /"broadcastTo" of float32\[2,3\]: it cannot become \[3\]/],
    ['slice', () => g.slice(x, [0, 2], [1, 2]), /"slice" of float32\[2,3\]: \[0,2\] and on for \[1,2\] lies outside/],
    ['concat', () => g.concat([x, g.input('z', [2, 2])], 0), /they do not join on axis 0/],
    ['gather', () => g.gather(x, y), /expected input 1 to be int32/],
    ['rows', () => g.takeAlong(x, g.iota([3], 0)), /"takeAlong" .* expected one id for each row/],
    [
      'part',
      () => g.dynamicUpdateSlice(x, g.input('z', [2, 4]), g.input('at', [], 'int32'), 1),
      /"dynamicUpdateSlice" of float32\[2,3\] and float32\[2,4\] and .* expected a part of the first along axis 1/,
    ],
    ['norm', () => g.layerNorm(x, g.input('a', [2]), g.input('b', [3]), 1e-5), /expected a gain and a bias/],
    ['constant', () => g.constant([1, 2], [3]), /a constant of shape \[3\] with 2 numbers/],
    ['axis', () => g.sum(x, [2]), /axes \[2\] of a tensor of rank 2/],
    ['loss', () => g.grad(x, [x]), /"grad" of float32\[2,3\]: expected a float32 scalar/],
    ['given gradient', () => g.withGradient(g.sum(x), [[x, g.sum(x)]]), /a gradient of the same shape/],
    ['two inputs', () => g.graph({ outputs: { a: g.add(x, g.sum(g.input('x', [3]))) } }), /two of input "x"/],
    [
      'update',
      () => g.graph({ outputs: {}, updates: { w: g.sum(g.state('w', [3])) } }),
      /update of "w" is float32\[\]/,
    ],
  ]
  for (const [name, mistake, message] of mistakes) {
    it(`names both shapes of a wrong ${name}`, () => assert.throws(mistake, message))
  }
})

describe('graph', () => {
  it('computes an expression once, whoever wrote it', () => {
    const twice = g.add(g.exp(g.mul(x, y)), g.tanh(g.mul(g.input('x', [2, 3]), y)))
    assert.deepEqual(opsOf(twice).sort(), ['add', 'exp', 'input', 'input', 'mul', 'tanh'])
  })

  it('tells constants apart by value, type and sign of zero', () => {
    const both = g.concat([g.constant([0]), g.constant([-0]), g.constant([0])], 0)
    assert.deepEqual(opsOf(both), ['constant', 'constant', 'concat'])
  })

  it('drops what changes nothing', () => {
    const same = [
      g.add(x, 0),
      g.add(g.zeros([2, 3]), x),
      g.sub(x, 0),
      g.mul(x, 1),
      g.mul(1, x),
      g.div(x, 1),
      g.neg(g.neg(x)),
      g.reshape(g.reshape(x, [3, 2]), [2, 3]),
      g.transpose(g.transpose(x, [1, 0]), [1, 0]),
      g.broadcastTo(x, [2, 3]),
      g.slice(x, [0, 0], [2, 3]),
      g.pow(x, 1),
      g.sum(x, []),
      g.stopGradient(x),
      g.withGradient(g.reshape(g.sum(x), []), [[y, y]]),
    ]
    for (const one of same.slice(0, -1)) assert.deepEqual(opsOf(one), ['input'])
    assert.deepEqual(opsOf(same.at(-1)!), ['input', 'sum'])
  })

  it('keeps a sum with 0 that stretches', () => {
    assert.deepEqual(
      g.graph({ outputs: { a: g.add(g.input('r', [3]), g.zeros([2, 3])) } }).outputs.get('a')!.shape,
      [2, 3],
    )
  })

  it('works out arithmetic on numbers', () => {
    const folded = g.graph({ outputs: { a: g.mul(g.mul(x, 2), g.div(g.constant(3), 4)) } })
    const constants = folded.nodes.flatMap((node) => (node.op === 'constant' ? [...node.attributes.data] : []))
    assert.deepEqual(constants, [1.5])
  })

  it('moves transposes into products', () => {
    const product = g.matmul(g.transpose(x, [1, 0]), y)
    const [node] = g.graph({ outputs: { product } }).nodes.slice(-1)
    assert.equal(node!.op, 'matmul')
    assert.deepEqual(node!.attributes, { transposeA: true, transposeB: false, scale: 1 })
    assert.deepEqual(opsOf(product), ['input', 'input', 'matmul'])
  })

  it('leaves stretching to the ops that stretch', () => {
    assert.deepEqual(opsOf(g.mul(x, g.broadcastTo(g.input('r', [3]), [2, 3]))), ['input', 'input', 'mul'])
    const both = g.mul(g.broadcastTo(g.input('r', [3]), [2, 3]), g.broadcastTo(g.input('s', [2, 1]), [2, 3]))
    assert.deepEqual(opsOf(both), ['input', 'input', 'mul'])
  })

  it('computes given gradients only where a derivative asks', () => {
    const value = g.withGradient(g.sum(x), [[x, g.exp(x)]])
    assert.deepEqual(opsOf(value), ['input', 'sum'])
    assert.deepEqual(opsOf(g.grad(value, [x])[0]!), ['input', 'exp'])
  })
})

describe('grad', () => {
  it('gives zeros for what the loss does not depend on', () => {
    const [dy, dx] = g.grad(g.sum(x), [y, x])
    assert.deepEqual(opsOf(dy!), ['constant', 'broadcastTo'])
    assert.deepEqual([dy!.shape, dx!.shape], [y.shape, x.shape])
  })

  it('builds nothing for inputs that nobody asks about', () => {
    const [dx] = g.grad(g.sum(g.matmul(x, g.transpose(y, [1, 0]))), [x])
    assert.equal(opsOf(dx!).filter((op) => op === 'matmul').length, 1)
  })

  it('computes again what is not to be kept, and that only when its cotangent is there', () => {
    const tanhs = (output: Tensor): string[] => opsOf(output).filter((op) => op === 'tanh')
    const square = (of: Tensor): Tensor => g.square(g.tanh(of))
    const kept = square(x)
    const again = g.recomputed([x], (of) => square(of))
    assert.equal(tanhs(again).length, 1)
    const gradients = (of: Tensor): Tensor => g.grad(g.sum(g.exp(of)), [x])[0]!
    assert.equal(tanhs(gradients(kept)).length, 1)
    assert.equal(tanhs(gradients(again)).length, 2)
    const { nodes } = g.graph({ outputs: { dx: gradients(again) } })
    const second = nodes.findLastIndex(({ op }) => op === 'tanh')
    const exp = nodes.findIndex(({ op }) => op === 'exp')
    assert.ok(exp < second && second > 0)
  })

  it('lets nothing through what only comes after', () => {
    const [dx, dy] = g.grad(g.sum(g.after(x, g.exp(y))), [x, y])
    assert.deepEqual(
      [opsOf(dx!), opsOf(dy!)],
      [
        ['constant', 'broadcastTo'],
        ['constant', 'broadcastTo'],
      ],
    )
    assert.ok(opsOf(g.after(x, g.exp(y))).includes('exp'))
  })

  it('differentiates 20,000 nodes in a row', () => {
    let deep = g.input('z', [])
    const z = deep
    for (let i = 0; i < 20_000; i++) deep = g.tanh(deep)
    assert.ok(g.graph({ outputs: { dz: g.grad(deep, [z])[0]! } }).nodes.length > 40_000)
  })
})

describe('order', () => {
  it('has inputs before users, where a user of something large waits for what is being computed', () => {
    const large = g.exp(g.input('x', [1, 64]))
    const waiting = g.takeAlong(large, g.argMax(g.input('y', [1, 3])))
    const { nodes } = g.graph({ outputs: { out: g.add(g.tanh(waiting), g.mul(large, waiting)) } })
    nodes.forEach((node, i) => assert.ok(node.inputs.every((from) => nodes.indexOf(from as g.RunNode) < i)))
  })

  it('finishes a chunk, loss and gradients, before it begins the next', () => {
    const hidden = g.input('hidden', [8, 4])
    const head = g.state('head', [16, 4])
    const chunks = [0, 1, 2, 3].map((i) => chunkLoss(g.slice(hidden, [2 * i, 0], [2, 4]), head))
    const loss = chunks.reduce((sum, one) => g.add(sum, one))
    const [dHead, dHidden] = g.grad(loss, [head, hidden])
    for (const outputs of [
      { loss, dHead: dHead!, dHidden: dHidden! },
      { dHidden: dHidden!, dHead: dHead!, loss },
    ]) {
      const { nodes } = g.graph({ outputs })
      assert.ok(alive(nodes, (node) => node.shape.at(-1) === 16 && node.op === 'matmul') <= 1)
    }
  })
})

/** A cross-entropy whose gradients are given: both sides read the logits. */
function chunkLoss(hidden: Tensor, head: Tensor): Tensor {
  const logits = g.matmul(hidden, head, { transposeB: true })
  const loss = g.neg(g.sum(g.slice(g.logSoftmax(logits), [0, 0], [-1, 1])))
  const dLogits = g.softmax(logits)
  return g.withGradient(loss, [
    [hidden, g.matmul(dLogits, head)],
    [head, g.matmul(dLogits, hidden, { transposeA: true })],
  ])
}

/** The most nodes of a kind that are kept at once, when all is freed after its last use. */
function alive(nodes: readonly g.RunNode[], counts: (node: g.RunNode) => boolean): number {
  const lastUse = new Map<object, number>()
  nodes.forEach((node, i) => node.inputs.forEach((from) => lastUse.set(from, i)))
  let [now, most] = [0, 0]
  nodes.forEach((node, i) => {
    if (counts(node)) most = Math.max(most, ++now)
    for (const from of new Set(node.inputs)) if (lastUse.get(from) === i && counts(from as g.RunNode)) now--
  })
  return most
}
