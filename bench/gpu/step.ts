import type { Engine, Feeds, Memory, Program, TensorValue } from '../../lib/engine/index.ts'
import { adamW, corrections } from '../../lib/model/optimizer.ts'
import { compileStep, emptyState, scalar } from '../../lib/model/steps.ts'
import { teacherHeadName } from '../../lib/model/taught.ts'
import { initialise, loadInto } from '../../lib/model/weights.ts'
import { toHalf } from '../../lib/util/half.ts'
import { Random } from '../../lib/util/random.ts'
import { gpt2 } from './gpt2.ts'

export const teacherWidth = 2560
const objective = { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true }

export interface TrainStep {
  readonly tokens: number
  readonly program: Program
  readonly memory: Memory
  /** Of a step, counted from 0. */
  readonly feeds: (step: number) => Feeds
}

/** GPT-2 124M taught by states 2,560 wide, which each step is fed anew, as halves, like those that its targets hold. */
export async function openStep(engine: Engine, rows: number, context: number): Promise<TrainStep> {
  const tokens = rows * context
  const random = new Random(1)
  const memory = engine.memory()
  /** A pool of draws over and over: a hundred million would take longer than the steps. */
  const normal = (size: number, scale: number): Float32Array => {
    const pool = Float32Array.from({ length: 100_003 }, () => scale * random.normal())
    return Float32Array.from({ length: size }, (_, i) => pool[i % pool.length]!)
  }
  const head = { shape: [gpt2.vocabSize, teacherWidth], data: normal(gpt2.vocabSize * teacherWidth, 0.02) }
  loadInto(memory, new Map([...initialise(gpt2, 0), ...emptyState(gpt2, 1), [teacherHeadName, head]]))
  const program = await compileStep(engine, {
    ...{ config: gpt2, rows, context, chunk: Math.min(1024, tokens) },
    ...{
      teacher: { kind: 'hidden', head: [gpt2.vocabSize, teacherWidth], fed: 'float16', objective },
      optimizer: adamW,
      clip: 1,
    },
  })
  const ids = (): Int32Array => Int32Array.from({ length: tokens }, () => random.below(gpt2.vocabSize))
  const fed = {
    tokens: { shape: [rows, context], data: ids() },
    labels: { shape: [tokens], data: ids() },
    teacherHidden: { shape: [tokens, teacherWidth], data: toHalf(normal(tokens * teacherWidth, 1)) },
  }
  const scalars = (step: number): Record<string, TensorValue> => {
    const [correction1, correction2] = corrections(step + 1, adamW)
    const values = { rate: 1e-5, correction1, correction2, weight: tokens, temperature: 2, alpha: 0.9 }
    return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, scalar(value)]))
  }
  return { tokens, program, memory, feeds: (step) => ({ ...fed, ...scalars(step) }) }
}
