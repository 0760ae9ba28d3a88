import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Engine, TensorValue } from '../../../lib/engine/index.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Tensor } from '../../../lib/graph/index.ts'
import { noise } from '../reference.ts'

const [rows, width, inner, last] = [64, 40, 48, 24]
const shapes = { x: [rows, width], w: [width, inner], bias: [inner], v: [inner, last] } as const
const data = Object.fromEntries(Object.entries(shapes).map(([name, shape], i) => [name, noise(shape, i + 1).data]))

/** What products of bfloat16 write in place of themselves, within a share of the largest entry. */
export function testEpilogues(open: () => Promise<Engine>, tolerance: number): void {
  let engine: Engine
  before(async () => void (engine = await open()))
  after(() => engine.dispose())

  const state = (name: 'w' | 'bias' | 'v'): Tensor => g.state(name, shapes[name])
  const sum = g.add(g.matmul(g.input('x', shapes.x), state('w')), state('bias'))
  const cases = {
    'a sum with a bias': { node: sum, of: (value: number) => value },
    'GELU of a sum with a bias': { node: g.gelu(sum), of: gelu },
  }
  for (const [name, { node, of }] of Object.entries(cases))
    for (const changes of [false, true])
      it(`multiplies ${name}${changes ? ', of which the next run has another' : ''}`, async () => {
        const updates = changes ? { bias: g.mul(state('bias'), 3), w: g.mul(state('w'), 0.5) } : {}
        const program = await engine.compile(g.graph({ outputs: { y: g.matmul(node, state('v')) }, updates }))
        const memory = engine.memory()
        for (const one of ['w', 'bias', 'v'] as const) memory.write(one, valueOf(one))
        for (const share of changes ? [1, 0.5, 0.25] : [1, 1]) {
          const { y } = await program.run({ x: valueOf('x') }, memory)
          const expected = productOf(of, share, changes ? 3 ** -Math.log2(share) : 1)
          const largest = Math.max(...expected.map(Math.abs))
          const off = expected.map((value, i) => Math.abs(y!.data[i]! - value))
          assert.ok(Math.max(...off) <= tolerance * largest, `off by ${Math.max(...off)} of ${largest}`)
        }
        await program.dispose()
        memory.dispose()
      })
}

const valueOf = (name: keyof typeof shapes): TensorValue => ({
  shape: [...shapes[name]],
  data: Float32Array.from(data[name]!),
})

/** f(x·w·share + bias·times)·v */
function productOf(f: (value: number) => number, share: number, times: number): number[] {
  const hidden = Array.from({ length: rows * inner }, (_, i) => {
    const [row, column] = [Math.floor(i / inner), i % inner]
    let total = data['bias']![column]! * times
    for (let k = 0; k < width; k++) total += data['x']![row * width + k]! * data['w']![k * inner + column]! * share
    return f(total)
  })
  return Array.from({ length: rows * last }, (_, i) => {
    const [row, column] = [Math.floor(i / last), i % last]
    let total = 0
    for (let k = 0; k < inner; k++) total += hidden[row * inner + k]! * data['v']![k * last + column]!
    return total
  })
}

const gelu = (x: number): number => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
