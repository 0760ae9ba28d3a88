import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allowedBy } from '../../../lib/engine/cuda/attention/allowed.ts'
import * as g from '../../../lib/graph/index.ts'
import type { DType, Tensor } from '../../../lib/graph/index.ts'

const [B, T] = [2, 5]
const [i, j] = [g.iota([1, 1, T, T], 2), g.iota([1, 1, T, T], 3)]
const causal = g.greaterEqual(i, j)
const near = g.less(g.sub(i, j), 3)
const row = (name: string, dtype: DType = 'int32'): Tensor => g.reshape(g.input(name, [B, T], dtype), [B, 1, 1, T])
const column = (name: string, dtype: DType = 'int32'): Tensor => g.reshape(g.input(name, [B, T], dtype), [B, 1, T, 1])

/** What of a mask, simplified as in a graph, the kernels know: causal, a window, and how much else there is. */
function known(allowed: Tensor, hidden = -1e9): readonly unknown[] | undefined {
  const { outputs } = g.graph({ outputs: { mask: g.where(allowed, g.constant(0), hidden) } })
  const found = allowedBy(outputs.get('mask')!)
  return found && [found.causal, found.window, found.others.length]
}

describe('allowedBy', () => {
  it('knows a causal mask and its windows, in any order', () => {
    assert.deepEqual(known(causal), [true, undefined, 0])
    assert.deepEqual(known(g.and(near, causal)), [true, 3, 0])
    assert.deepEqual(known(g.and(g.and(causal, g.less(g.sub(i, j), 2)), near)), [true, 2, 0])
  })

  it('takes as others what every token sees of itself', () => {
    const [a, b] = [row('a'), column('a')]
    const all = [g.equal(a, b), g.lessEqual(b, a), g.less(g.sub(b, a), 1), g.or(g.less(a, 0), g.equal(i, j))]
    for (const one of all) assert.deepEqual(known(g.and(g.and(causal, one), near)), [true, 3, 1])
    assert.deepEqual(known(g.and(causal, all.reduce(g.and))), [true, undefined, 4])
  })

  it('counts on nothing where a token may see nothing', () => {
    const [a, b] = [row('a'), column('a')]
    const others = [
      g.equal(a, column('b')),
      g.equal(row('x', 'float32'), column('x', 'float32')), // of NaN
      g.greater(a, 0),
      g.less(a, b),
      g.less(g.sub(a, b), 0),
      g.less(g.sub(i, j), 0),
      g.or(g.greater(a, 0), g.less(i, j)),
      g.or(g.less(i, j), g.and(g.equal(a, b), g.greater(a, 0))),
    ]
    for (const one of others) {
      const [isCausal, window, count] = known(g.and(g.and(causal, one), near))!
      assert.deepEqual([isCausal, window, Number(count) >= 3], [false, undefined, true])
    }
    assert.deepEqual(known(g.and(g.equal(a, b), near)), [false, undefined, 2])
  })

  it('leaves masks of other numbers, of heads of their own, and of what no kernel computes as it goes', () => {
    assert.equal(known(causal, -1e4), undefined)
    assert.equal(known(g.greater(g.input('seen', [B, 3, T, T]), 0)), undefined)
    assert.equal(known(g.equal(g.gather(g.input('table', [9], 'int32'), row('a')), column('b'))), undefined)
  })
})
