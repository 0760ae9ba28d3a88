import type { TensorValue } from '../../lib/engine/index.ts'
import { adamW, corrections } from '../../lib/model/optimizer.ts'
import { compileStep, emptyState, scalar } from '../../lib/model/steps.ts'
import { teacherHeadName } from '../../lib/model/taught.ts'
import { initialise, loadInto } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { median } from '../figures.ts'
import { openNamed } from './engine.ts'
import { gpt2 } from './gpt2.ts'
import { deviceMemory, say, sayMemory } from './measured.ts'

/** train-step-ours ENGINE ROWS CONTEXT SECONDS: GPT-2 124M taught by states 2,560 wide, which each step is fed anew. */
const [name = '', rows = '8', context = '1024', seconds = '15'] = process.argv.slice(2)
const part = 'train-step'
const teacherWidth = 2560
const objective = { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true }
const tokens = Number(rows) * Number(context)
const before = deviceMemory()
const engine = await openNamed(name)
const random = new Random(1)
const memory = engine.memory()
const weights = initialise(gpt2, 0)
const head = { shape: [gpt2.vocabSize, teacherWidth], data: normal(gpt2.vocabSize * teacherWidth, 0.02) }
loadInto(memory, new Map([...weights, ...emptyState(gpt2, 1), [teacherHeadName, head]]))
const program = await compileStep(engine, {
  ...{ config: gpt2, rows: Number(rows), context: Number(context), chunk: Math.min(1024, tokens) },
  ...{ teacher: { kind: 'hidden', head: [gpt2.vocabSize, teacherWidth], objective }, optimizer: adamW, clip: 1 },
})
const feeds = makeFeeds()
const times: number[] = []
const started = performance.now()
for (let step = 0; step < 3 || performance.now() - started < Number(seconds) * 1000; step++) {
  const at = performance.now()
  const { loss } = await program.run({ ...feeds, ...scalars(step) }, memory)
  if (!Number.isFinite(loss!.data[0])) throw new Error(`the loss of step ${step} is ${loss!.data[0]}`)
  times.push(performance.now() - at)
  if (step === 0) say({ part, who: engine.device, what: 'the first step', unit: 's', value: times[0]! / 1000 })
}
const typical = median(times.slice(2))
say({ part, who: engine.device, what: `a step of ${rows} × ${context} tokens`, unit: 'ms', value: typical })
say({ part, who: engine.device, what: 'training', unit: 'tokens/s', value: (tokens / typical) * 1000 })
sayMemory(part, engine.device, before)
process.exit(0) // the driver's threads would hold the process

function scalars(step: number): Record<string, TensorValue> {
  const [correction1, correction2] = corrections(step + 1, adamW)
  const values = { rate: 1e-5, correction1, correction2, weight: tokens, temperature: 2, alpha: 0.9 }
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, scalar(value)]))
}

function makeFeeds(): Record<string, TensorValue> {
  const ids = (): Int32Array => Int32Array.from({ length: tokens }, () => random.below(gpt2.vocabSize))
  return {
    tokens: { shape: [Number(rows), Number(context)], data: ids() },
    labels: { shape: [tokens], data: ids() },
    teacherHidden: { shape: [tokens, teacherWidth], data: normal(tokens * teacherWidth, 1) },
  }
}

/** A pool of draws over and over: a hundred million would take longer than the steps. */
function normal(size: number, scale: number): Float32Array {
  const pool = Float32Array.from({ length: 100_003 }, () => scale * random.normal())
  return Float32Array.from({ length: size }, (_, i) => pool[i % pool.length]!)
}
