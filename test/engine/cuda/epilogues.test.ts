import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plan } from '../../../lib/engine/cuda/plan.ts'
import type { Call, Plan } from '../../../lib/engine/cuda/plan.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Tensor } from '../../../lib/graph/index.ts'
import { batchOf } from '../../../lib/model/hidden-pass.ts'
import { gpt } from '../../../lib/model/gpt.ts'
import { weightState } from '../../../lib/model/weights.ts'
import { trainingGraphs } from './sources.ts'

/** What the calls compute: kernels by their nodes, products by their epilogues. */
const lines = ({ calls }: Plan): string[] => calls.map(lineOf)

function lineOf(call: Call): string {
  if (call.kind === 'launch') return call.nodes.map(({ op }) => op).join(' ')
  return call.kind === 'multiply' ? `multiply ${call.shape.epilogue}` : call.kind
}

const planOf = (outputs: Record<string, Tensor>, precision: 'bf16' | 'fp32' | 'tf32' = 'bf16'): Plan =>
  plan(g.graph({ outputs }), precision)

const x = g.input('x', [64, 40])
const [w, bias, v] = [g.state('w', [40, 48]), g.state('bias', [48]), g.state('v', [48, 24])]
const sum = g.add(g.matmul(x, w), bias)
const bent = g.gelu(g.reshape(sum, [2, 32, 48]))
const down = (from: Tensor): Tensor => g.matmul(g.reshape(from, [64, 48]), v)

const sizes = { vocabSize: 304, context: 128, width: 64, layers: 2, heads: 4, inner: 256, window: 16 }

describe('a product writes', () => {
  it('its sum with a bias, and GELU of that, where other products read them', () => {
    assert.deepEqual(lines(planOf({ y: down(sum) })), ['input', 'multiply bias', 'multiply none'])
    assert.deepEqual(lines(planOf({ y: down(bent) })), ['input', 'multiply bias-gelu', 'multiply none'])
  })

  it('neither in float32, where the last digits are ours', () => {
    for (const precision of ['fp32', 'tf32'] as const)
      assert.deepEqual(lines(planOf({ y: down(bent) }, precision)), ['multiply none', 'gelu', 'multiply none'])
  })

  it('itself, where something else reads what is on the way', () => {
    const biasOnly = (outputs: Record<string, Tensor>): string[] => lines(planOf(outputs)).filter((line) => line.startsWith('multiply')) // prettier-ignore
    const [none, biased] = ['multiply none', 'multiply bias']
    assert.deepEqual(biasOnly({ y: down(bent), sum }), [none, none])
    assert.deepEqual(biasOnly({ y: down(bent), twice: g.mul(sum, 2) }), [none, none])
    assert.deepEqual(biasOnly({ y: down(bent), z: down(sum) }), [biased, none, none])
    const product = g.matmul(x, w)
    assert.deepEqual(biasOnly({ y: down(g.add(product, bias)), product }), [none, none])
  })

  it('itself, where a bias would lie where zeros must be, or is one for each row', () => {
    const narrow = g.add(g.matmul(x, g.state('narrow', [40, 44])), g.state('short', [44]))
    assert.ok(!lines(planOf({ y: g.matmul(narrow, g.state('u', [44, 24])) })).includes('multiply bias'))
    const few = g.add(g.matmul(g.input('few', [60, 40]), w), bias)
    assert.ok(!lines(planOf({ y: g.matmul(few, v) })).includes('multiply bias'))
    const column = g.add(g.matmul(x, w), g.input('column', [64, 1]))
    assert.ok(!lines(planOf({ y: g.matmul(column, v) })).includes('multiply bias'))
  })

  it("a model's queries, keys and values, and what its layers bend, as nothing else does", () => {
    const config = {
      ...sizes,
      architecture: 'gpt2',
      attention: ['global', 'local'],
      epsilon: 1e-5,
      tied: true,
    } as const
    const y = gpt(config, weightState(config), batchOf({ rows: 8, length: 128, attend: 'row' }))
    const found = lines(planOf({ y }))
    const layer = ['multiply bias', 'multiply none', 'multiply bias-gelu', 'multiply none']
    assert.deepEqual(
      found.filter((line) => line.startsWith('multiply')),
      [...layer, ...layer],
    )
    assert.ok(!found.some((line) => line === 'gelu' || line === 'add'), found.join('\n'))
  })

  it('queries, keys and values of a training too, whose GELU has a derivative that reads what it is of', async () => {
    const [graph] = await trainingGraphs()
    const found = lines(plan(graph!, 'bf16'))
    assert.equal(found.filter((line) => line === 'multiply bias').length, 2)
    assert.equal(found.filter((line) => line === 'gelu').length, 2)
  })
})
