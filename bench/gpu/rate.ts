import type { Engine } from '../../lib/engine/index.ts'
import { graph, matmul, state } from '../../lib/graph/index.ts'
import { median } from '../figures.ts'
import { stepProducts } from '../operations.ts'
import { gpt2 } from './gpt2.ts'

const size = 8192

/** Operations a second of a product of two matrices of 8,192², as the engine multiplies: what the card gives at best. */
export async function matmulRate(engine: Engine): Promise<number> {
  const memory = engine.memory()
  for (const name of ['a', 'b']) {
    // without pattern: products of zeros are faster
    const data = Float32Array.from({ length: size * size }, (_, i) => ((i * 7919) % 1013) / 1013 - 0.5)
    memory.write(name, { shape: [size, size], data })
  }
  const product = matmul(state('a', [size, size]), state('b', [size, size]))
  const program = await engine.compile(graph({ outputs: {}, updates: { c: product } }))
  const times: number[] = []
  for (let n = 0; n < 12; n++) {
    const at = performance.now()
    await program.run({}, memory)
    times.push(performance.now() - at)
  }
  await program.dispose()
  memory.dispose()
  return (2 * size ** 3 * 1000) / median(times.slice(2))
}

/** Operations of a step's products; of the teacher's head forward, too. */
export const stepOperations = (tokens: number, context: number, teacherWidth: number): number =>
  stepProducts(gpt2, tokens, context) + tokens * 2 * gpt2.vocabSize * teacherWidth
