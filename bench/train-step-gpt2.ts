import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEngine } from '../lib/engine/index.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { writeTargets } from '../lib/model/teacher.ts'
import { openModel } from '../lib/model/weights.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'
import { writeRandomModel } from './random-model.ts'
import { startStepper } from './stepper.ts'
import type { Steps } from './stepper.ts'
import { splitOf } from './train-step-gpt2-ours.ts'

/** A head and final states of GPT-Neo-2.7B's size, which is all that a student sees of its teacher. */
const teacher: GptConfig = {
  architecture: 'gpt_neo',
  ...{ vocabSize: 50_257, context: 2048, width: 2560, layers: 1, heads: 20, inner: 10_240, window: 256 },
  ...{ epsilon: 1e-5, tied: true, attention: ['global'] },
}
const batches = [
  [1, 512],
  [2, 1024],
] as const
/** Ours takes 20 steps, the peer one after every four. */
const [turns, stepsATurn] = [5, 4]

/** Also the most bytes that the process had resident. */
export type Sized = Steps & { readonly peak: number }

export const trainStepGpt2: Bench = {
  about: 'a distillation step of GPT-2 124M, taught by the states of a GPT-Neo-2.7B, beside PyTorch',
  run: async () => {
    warnOfLoad()
    const torch = await python()
    const folder = mkdtempSync(join(tmpdir(), 'train-step-gpt2-'))
    try {
      writeRandomModel(join(folder, 'teacher'), teacher, 'F16')
      const figures: Figure[] = []
      for (const [rows, context] of batches) figures.push(...(await measure(folder, torch, rows, context)))
      return figures
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function measure(folder: string, torch: string, rows: number, context: number): Promise<readonly Figure[]> {
  const targets = join(folder, `targets-${rows}-${context}`)
  await teach(join(folder, 'teacher'), targets, rows, context)
  const file = (name: string): string => join(import.meta.dirname, name)
  const args = [String(Math.min(2, availableParallelism())), String(rows), String(context)]
  const ours = startStepper(process.execPath, ['--import', 'tsx', file('train-step-gpt2-ours.ts'), ...args, targets])
  const peer = startStepper(torch, [file('peers/train_step_gpt2.py'), ...args])
  try {
    const [mine, theirs]: [Sized[], Sized[]] = [[], [(await peer.run(1)) as Sized]] // its first step is a slow one
    for (let turn = 0; turn < turns; turn++) {
      mine.push((await ours.run(stepsATurn)) as Sized)
      theirs.push((await peer.run(1)) as Sized)
    }
    return figuresOf(`${rows} × ${context}`, mine, theirs)
  } finally {
    await Promise.all([ours.close(), peer.close()])
  }
}

async function teach(model: string, targets: string, rows: number, context: number): Promise<void> {
  const engine = await openEngine({ name: 'auto', threads: availableParallelism() })
  const opened = await openModel(model)
  const form = { kind: 'hidden', dtype: 'F16', width: opened.config.width } as const
  const options = { context, batch: 1, tokenizerDigest: 'none', form }
  const hooks = { signal: new AbortController().signal, onRows: () => undefined }
  await writeTargets(targets, engine, opened, splitOf(rows, context), options, hooks)
  await engine.dispose()
}

function figuresOf(batch: string, mine: readonly Sized[], theirs: readonly Sized[]): readonly Figure[] {
  const peerName = `PyTorch ${theirs[0]!.version}`
  const time = (taken: readonly Sized[]): number[] => taken.slice(1).flatMap(({ wall }) => wall.map((ms) => ms / 1000))
  const peak = (taken: readonly Sized[]): number => taken.at(-1)!.peak / 2 ** 30
  return [
    figure({
      ...{ what: `time of a step of ${batch} tokens`, unit: 's', reach: { max: 1 } },
      ...{ ours: time(mine), peer: time(theirs), peerName },
    }),
    figure({
      ...{ what: `resident memory, at most, in ${turns * stepsATurn} of them`, unit: 'GiB', reach: { max: 6 } },
      ours: peak(mine),
    }),
    figure({
      ...{ what: 'the same, beside it', unit: 'GiB', reach: { max: 1 } },
      ...{ ours: peak(mine), peer: peak(theirs), peerName },
    }),
  ]
}
