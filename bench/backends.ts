import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { engineKinds } from '../lib/engine/kinds.ts'
import { runApart } from '../lib/tools/apart.ts'
import type { EngineTried } from '../lib/util/diagnosis.ts'
import { figure } from './figures.ts'
import type { Bench, Figure, Samples } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { stepProducts } from './operations.ts'
import { ALONE, IN_STEP, NOT_ONE, STEP } from './readme/engines.ts'
import { startStepper } from './stepper.ts'
import type { Stepper } from './stepper.ts'

/** As in the bench "train-step": L4 d256 H4 V8192, 8 × 128 tokens. */
const [layers, width, heads, vocabSize, rows, context] = [4, 256, 4, 8192, 8, 128]
const threads = availableParallelism()
const operations = stepProducts({ layers, width, inner: 4 * width, vocabSize }, rows * context, context)
/** Seconds for an engine in one precision, from its start. */
const LIMIT = 120
const STEPS = 20

export const backends: Bench = {
  about: `a training step of a small GPT on each engine that works here, at most ${LIMIT} s each`,
  run: async () => {
    warnOfLoad()
    const figures: Figure[] = []
    for (const { name } of engineKinds) figures.push(...(await ofEngine(name)))
    return figures
  },
}

/** Nothing of an engine that does not work here; why, on standard error. */
async function ofEngine(name: string): Promise<readonly Figure[]> {
  const { answer } = await runApart(['--import', 'tsx', join(root, 'lib', 'tools', 'doctor.ts'), name], 60)
  const tried = 'value' in answer ? (answer.value as EngineTried) : { ...answer, gflops: {} }
  if (Object.keys(tried.gflops).length === 0) console.error(`${name} does not work here: ${tried.why}`)
  const figures: Figure[] = []
  for (const [precision, rate] of Object.entries(tried.gflops))
    figures.push(...figuresOf(name, precision, rate, await stepTimes(`${name}:${precision}`)))
  return figures
}

const root = join(import.meta.dirname, '..')

/** Milliseconds, the first step aside if there is time for others; undefined where not even one was done. */
async function stepTimes(choice: string): Promise<readonly number[] | undefined> {
  const shape = [threads, layers, width, heads, vocabSize, rows, context].map(String)
  const own = join(import.meta.dirname, 'train-step-ours.ts')
  const stepper = startStepper(process.execPath, ['--import', 'tsx', own, ...shape, choice])
  const end = performance.now() + LIMIT * 1000
  const timer = setTimeout(stepper.kill, LIMIT * 1000)
  try {
    return await steps(stepper, () => end - performance.now())
  } finally {
    clearTimeout(timer)
    await stepper.close()
  }
}

async function steps(stepper: Stepper, left: () => number): Promise<readonly number[] | undefined> {
  const times: number[] = []
  while (times.length <= STEPS && left() > 2 * (times.at(-1) ?? 0)) {
    try {
      times.push(...(await stepper.run(1)).wall)
    } catch (error) {
      if (left() > 0) throw error // it was not the limit that ended it
      break
    }
  }
  return times.length === 0 ? undefined : times.length === 1 ? times : times.slice(1)
}

function figuresOf(
  name: string,
  precision: string,
  rate: number,
  step: readonly number[] | undefined,
): readonly Figure[] {
  const engine = precision === 'fp32' ? name : `${name} in ${precision}`
  const of = (what: string, unit: string, ours: Samples): Figure => ({
    ...figure({ what: `${what}, ${engine}`, unit, ours, reach: { min: 0 } }),
    engine: { name: engine, what },
  })
  return [
    of(ALONE, 'GFLOP/s', rate),
    ...(step === undefined
      ? [of(NOT_ONE, 's', LIMIT)]
      : [
          of(STEP, 'ms', step),
          of(
            IN_STEP,
            'GFLOP/s',
            step.map((ms) => operations / (ms * 1e6)),
          ),
        ]),
  ]
}
