import { after, before, it } from 'node:test'
import { openEngine } from '../../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../../lib/engine/index.ts'
import * as g from '../../../lib/graph/index.ts'
import type { Tensor } from '../../../lib/graph/index.ts'
import { noise } from '../reference.ts'
import { close } from '../op-suite.ts'

const [rows, inner, width] = [10, 24, 601]
const h = g.input('h', [rows, inner])
const tall = g.input('tall', [width, inner])
const wide = g.input('wide', [inner, width])
const byTall = { transposeB: true }
const byRows = { transposeA: true }

const chunk = (n: number): Tensor => g.slice(h, [2 * n, 0], [2, inner])
const total = (parts: readonly Tensor[]): Tensor => parts.reduce((a, b) => g.add(a, b))
const shares = (n: number): Tensor => g.softmax(g.matmul(chunk(n), tall, byTall))

/** Values with rows of 601 entries, as products and kernels write them, and read from both. */
export const oddRows: Readonly<Record<string, Tensor>> = {
  'as they are': g.matmul(h, tall, byTall),
  'reduced by rows': g.sum(g.exp(g.mul(g.matmul(h, wide), 0.1)), [1]),
  'reduced by columns': g.max(g.matmul(h, wide), [0]),
  'as an operand': g.matmul(shares(0), tall),
  'as an operand turned over': g.matmul(shares(1), chunk(1), byRows),
  'from a turned one': g.tanh(g.matmul(wide, h, { transposeA: true, transposeB: true })),
  'added up': g.mul(total([0, 1, 2].map((n) => g.matmul(chunk(n), shares(n), byRows))), 2),
  'added up, as they are': total([0, 1, 2].map((n) => g.matmul(chunk(n), shares(n), byRows))),
  'of a batch': g.softmax(g.matmul(g.reshape(h, [5, 2, inner]), g.broadcastTo(wide, [5, inner, width]))),
  'in another shape': g.mul(g.reshape(g.matmul(h, wide), [5, 2 * width]), 2),
  'turned over, and between others': g.concat(
    [g.exp(tall), g.transpose(g.matmul(h, wide), [1, 0]), g.transpose(shares(2), [1, 0])],
    1,
  ),
  'some of one': g.neg(g.slice(g.matmul(h, wide), [1, 7], [4, 500])),
  'as operands of two widths': g.matmul(g.reshape(shares(0), [width, 2]), g.matmul(shares(0), tall)),
  'from the second on': g.matmul(g.slice(shares(0), [1, 0], [1, width]), tall),
  'from the ninth on': g.matmul(g.slice(g.softmax(g.matmul(h, wide)), [8, 0], [2, width]), tall),
}

/** Against the engine of another kind. */
export function testOddRows(open: () => Promise<Engine>, tolerance = 2e-5): void {
  let engines: Engine[]
  before(async () => void (engines = [await open(), await openEngine({ name: 'onnx-cpu', threads: 1 })]))
  after(() => Promise.all(engines.map((engine) => engine.dispose())))

  for (const [name, y] of Object.entries(oddRows)) {
    it(`gives rows of an odd width ${name}`, async () => {
      const [found, expected] = await Promise.all(engines.map((engine) => run(engine, y)))
      close(found!.data, [...expected!.data], 'value', tolerance)
    })
  }
}

async function run(engine: Engine, y: Tensor): Promise<TensorValue> {
  const graph = g.graph({ outputs: { y } })
  const program = await engine.compile(graph)
  const feeds = [...graph.inputs].map(([name, { shape }], i): [string, TensorValue] => {
    return [name, { shape, data: Float32Array.from(noise(shape, 3 + i).data, (x) => x / 4) }]
  })
  const results = await program.run(Object.fromEntries(feeds))
  await program.dispose()
  return results['y']!
}
