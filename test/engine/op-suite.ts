import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import * as g from '../../lib/graph/index.ts'
import type { Graph, Tensor } from '../../lib/graph/index.ts'
import { cases } from './cases.ts'
import type { Case } from './cases.ts'
import { count, nd, noise, total } from './reference.ts'
import type { Nd } from './reference.ts'

export const all = Object.entries(cases).flatMap(([op, list]) =>
  (list as readonly Case[]).map((one) => ({ name: `${op}: ${one.title}`, one })),
)
export const kept = nd([3], [1, 2, 3])

/** A test for each case of each op: its values, and its derivatives, within shares of what is expected. */
export function testOps(open: () => Promise<Engine>, tolerance = { values: 2e-5, derivatives: 2e-4 }): void {
  let engine: Engine
  before(async () => void (engine = await open()))
  after(() => engine.dispose())

  for (const { name, one } of all) {
    it(name, async () => {
      const results = await runCase(engine, one)
      close(results['y']!.data, one.expected(...one.inputs), 'value', tolerance.values)
      for (const { index, gradient } of expectedGradients(one)) {
        close(results[`d${index}`]!.data, gradient, `derivative by input ${index}`, tolerance.derivatives)
      }
    })
  }
}

export function floats({ inputs }: Case): number[] {
  return inputs.flatMap(({ dtype }, i) => (dtype === 'float32' ? [i] : []))
}

export const leaves = ({ inputs }: Case): Tensor[] => inputs.map((x, i) => g.input(`x${i}`, x.shape, x.dtype))

/** The scalar that is differentiated: Σ value · weight, the weights without pattern. */
export const weigh = (y: Tensor): Tensor => g.sum(g.mul(y, g.constant(weightsOf(y).map(Math.fround), y.shape)))
const weightsOf = ({ shape }: Pick<Tensor, 'shape'>): number[] => [...noise(shape, 77).data]

/** y, and d0, d1 … where it has derivatives. */
export function graphOf(one: Case): Graph {
  const x = leaves(one)
  const y = one.build(...x)
  const outputs: Record<string, Tensor> = { y }
  if (!one.valuesOnly && y.dtype === 'float32') {
    const wrt = floats(one)
    g.grad(
      weigh(y),
      wrt.map((i) => x[i]!),
    ).forEach((dx, i) => (outputs[`d${wrt[i]!}`] = dx))
  }
  return g.graph({ outputs })
}

export async function runCase(engine: Engine, one: Case): Promise<Record<string, TensorValue>> {
  const graph = graphOf(one)
  const program = await engine.compile(graph)
  const memory = engine.memory()
  memory.write('kept', value(kept))
  const feeds = one.inputs.map((x, i): [string, TensorValue] => [`x${i}`, value(x)])
  const results = await program.run(Object.fromEntries(feeds.filter(([name]) => graph.inputs.has(name))), memory)
  await program.dispose()
  memory.dispose()
  return results
}

function value({ shape, data, dtype }: Nd): TensorValue {
  return { shape, data: dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data) }
}

/** As the case says, or by central differences of its plain reference in double precision. */
function expectedGradients(one: Case): { index: number; gradient: readonly number[] }[] {
  if (one.valuesOnly) return []
  const y = one.build(...leaves(one))
  if (y.dtype !== 'float32') return []
  const weights = weightsOf(y)
  const given = one.gradients?.(weights, ...one.inputs)
  return floats(one).map((index, i) => ({ index, gradient: given?.[i] ?? differences(one, index, weights) }))
}

function differences(one: Case, index: number, weights: readonly number[]): number[] {
  const step = 1e-5
  const { data, shape } = one.inputs[index]!
  const moved = (k: number, by: number): number => {
    const changed = nd(
      shape,
      data.map((x, j) => (j === k ? x + by : x)),
    )
    const y = one.expected(...one.inputs.map((x, i) => (i === index ? changed : x)))
    return total(y.map((v, j) => v * weights[j]!))
  }
  return data.map((_, k) => (moved(k, step) - moved(k, -step)) / (2 * step))
}

export function close(actual: ArrayLike<number>, expected: readonly number[], what: string, tolerance = 2e-5): void {
  assert.equal(actual.length, expected.length, `${what}: number of entries`)
  const scale = Math.max(1, ...expected.map((x) => (Number.isFinite(x) ? Math.abs(x) : 0)).map((x) => x * 0.1))
  expected.forEach((x, i) => {
    const error = Object.is(actual[i], x) || actual[i] === x ? 0 : Math.abs(actual[i]! - x)
    const allowed = tolerance * Math.max(scale, Math.abs(x))
    assert.ok(
      error <= allowed,
      `${what}: entry ${i} of ${count([expected.length])} is ${actual[i]!}, expected ${x} ± ${allowed}`,
    )
  })
}
