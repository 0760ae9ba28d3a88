import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GptConfig } from '../../lib/model/config.ts'
import { adamW, corrections } from '../../lib/model/optimizer.ts'
import { compileStep, emptyState, scalar } from '../../lib/model/steps.ts'
import { initialise, loadInto, saveModel } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { openNamed } from './engine.ts'
import { say } from './measured.ts'

/**
 * curves-ours ENGINE FOLDER: 200 steps of a small GPT-2 from five seeds, as PyTorch is to make them after: FOLDER gets the
 * tokens, each seed's weights and the losses.
 */
const [name = '', folder = ''] = process.argv.slice(2)
const config: GptConfig = {
  architecture: 'gpt2',
  ...{ vocabSize: 512, context: 256, width: 256, layers: 4, heads: 4, inner: 1024, window: 256, epsilon: 1e-5 },
  ...{ tied: true, attention: Array.from({ length: 4 }, () => 'global' as const) },
}
const [steps, rows, context, seeds, rate] = [200, 8, 256, 5, 1e-3]
const tokens = walk(steps * rows * (context + 1))
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'tokens.bin'), tokens)
const engine = await openNamed(name)
const program = await compileStep(engine, {
  ...{ config, rows, context, chunk: 1024, teacher: undefined, optimizer: adamW, clip: 1 },
})
const curves: number[][] = []
for (let seed = 0; seed < seeds; seed++) curves.push(await train(seed))
writeFileSync(join(folder, 'curves.json'), JSON.stringify(curves))
const last = curves.map((curve) => curve.slice(-20).reduce((sum, loss) => sum + loss, 0) / 20)
say({
  ...{ part: 'curves', who: engine.device, what: 'loss of the last 20 of 200 steps, mean of five seeds', unit: 'nats' },
  value: last.reduce((sum, one) => sum + one, 0) / seeds,
})
process.exit(0) // the driver's threads would hold the process

async function train(seed: number): Promise<number[]> {
  const weights = initialise(config, seed)
  saveModel(join(folder, `seed-${seed}`), { config, weights: copied(weights) }, { eos: config.vocabSize - 1 })
  const memory = engine.memory()
  loadInto(memory, new Map([...weights, ...emptyState(config, 1)]))
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    const [correction1, correction2] = corrections(step + 1, adamW)
    const scalars = { rate, correction1, correction2, weight: rows * context }
    const feeds = Object.fromEntries(Object.entries(scalars).map(([key, value]) => [key, scalar(value)]))
    const { loss } = await program.run({ ...feeds, ...batch(step) }, memory)
    losses.push(loss!.data[0]!)
  }
  memory.dispose()
  return losses
}

function batch(step: number) {
  const row = (n: number, shift: number): Int32Array => {
    const start = (step * rows + n) * (context + 1) + shift
    return Int32Array.from(tokens.subarray(start, start + context))
  }
  const all = (shift: number): Int32Array => {
    const data = new Int32Array(rows * context)
    for (let n = 0; n < rows; n++) data.set(row(n, shift), n * context)
    return data
  }
  return {
    tokens: { shape: [rows, context], data: all(0) },
    labels: { shape: [rows * context], data: all(1) },
  }
}

/** Each token is told by the one before it, four times out of five. */
function walk(count: number): Uint16Array {
  const random = new Random(7)
  const made = new Uint16Array(count)
  for (let i = 0; i < count; i++) {
    const before = made[i - 1] ?? 0
    made[i] = random.below(5) > 0 ? (5 * before + 7) % config.vocabSize : random.below(config.vocabSize)
  }
  return made
}

function copied(weights: ReturnType<typeof initialise>): ReturnType<typeof initialise> {
  return new Map([...weights].map(([key, { shape, data }]) => [key, { shape, data: data.slice() }]))
}
