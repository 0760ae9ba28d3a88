import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Split } from '../../lib/data/tokens.ts'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { adamW } from '../../lib/model/optimizer.ts'
import type { Ask } from '../../lib/model/questions.ts'
import { train } from '../../lib/model/train.ts'
import type { TrainInputs, TrainOptions, TrainTeacher, Trained } from '../../lib/model/train.ts'
import { initialise, weightShapes } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { quiet } from './plain.ts'
import { copied, engine, plainKl, scratch, stream, tensorsOf, tinyNeo } from './rig.ts'

const temporary = scratch()
let folders = 0
export const newFolder = (): string => join(temporary, `${folders++}`)

/** No key has a bias here: its gradient would be rounding alone, which AdamW blows up. */
export const config = tinyNeo({ layers: 1, attention: ['local'] })
export const start = initialise(config, 1)
export const names = [...weightShapes(config).keys()]

export interface Setup {
  readonly inputs: Omit<TrainInputs, 'engine'>
  readonly options: TrainOptions
}

export const text: TrainInputs = {
  ...{ engine, config, weights: start },
  train: stream(150, 13),
  validation: stream(30, 13, 2),
}
export const options: TrainOptions = {
  ...{ context: 12, batch: 4, accumulate: 1, clip: 1, seed: 1, validateEvery: 2, validationRows: 0, chunk: 16 },
  rate: { peak: 0.01, warmup: 2, decay: 'cosine', last: 0.1, steps: 5 },
  ...{ optimizer: adamW, temperature: 2, alpha: { from: 0.9, to: 0.3, shape: 'linear', by: 'step' } },
}
export const alone: Setup = { inputs: text, options }
export const taught: Setup = { inputs: { ...text, teacher: teacherOf('teacher', text.train) }, options }
export const inParts: Setup = { ...taught, options: { ...options, accumulate: 2 } }

interface Where {
  readonly folder?: string
  readonly engine?: Engine
  readonly signal?: AbortSignal
  readonly onStep?: (step: number) => void
  readonly ask?: Ask
  readonly log?: (message: string) => void
}

export function trained({ inputs, options }: Setup, { folder = newFolder(), ...where }: Where = {}): Promise<Trained> {
  const hooks = { checkpoint: folder, signal: where.signal ?? quiet.signal, log: where.log ?? (() => undefined) }
  const onStep = ({ step }: { step: number }): void => where.onStep?.(step)
  const own = { ...inputs, weights: copied(inputs.weights), engine: where.engine ?? engine }
  return train(own, options, { ...hooks, onStep, ...(where.ask ? { ask: where.ask } : {}) })
}

/** Weights, moments and sums once this step is done, as the checkpoint has them. */
export async function stateAfter(
  setup: Setup,
  step: number,
  folder = newFolder(),
  on: Engine = engine,
): Promise<Map<string, TensorValue>> {
  const stop = new AbortController()
  const onStep = (done: number): void => {
    if (done === step) stop.abort()
  }
  await assert.rejects(trained(setup, { folder, engine: on, signal: stop.signal, onStep }), { name: 'AbortError' })
  return tensorsOf(join(folder, 'state.safetensors'))
}

/** A teacher of 15 tokens who mostly knows what follows. */
export function teacherOf(
  model: string,
  { ids }: Split,
  objective = plainKl,
): Extract<TrainTeacher, { targets: unknown }> {
  const random = new Random(1, model)
  const count = ids.length - 1
  const hidden = Float32Array.from({ length: count * 15 }, () => random.normal())
  for (let at = 0; at < count; at++) hidden[at * 15 + ids[at + 1]!]! += 5
  const rows = { packing: { context: 12, stride: 12 }, attend: 'row' } as const
  const form = { kind: 'hidden', dtype: 'F16', width: 15 } as const
  const header = { model, tokenizer: 'tokenizer', stream: 'stream', ...rows, count, form }
  const columns = (at: number, length: number) => ({ hidden: hidden.slice(at * 15, (at + length) * 15) })
  const head = Float32Array.from({ length: 225 }, (_, i) => Number(i % 16 === 0))
  return {
    targets: { header, columns, close: () => undefined },
    shape: { kind: 'hidden', head: [15, 15] },
    head: { shape: [15, 15], data: head },
    objective,
  }
}
