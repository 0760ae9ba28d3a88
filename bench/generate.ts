import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GptConfig } from '../lib/model/config.ts'
import { initialise, saveModel } from '../lib/model/weights.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'
import { startStepper } from './stepper.ts'
import type { Stepper, Steps } from './stepper.ts'

/** GPT-2 124M's shape. */
const config: GptConfig = {
  architecture: 'gpt2',
  ...{ vocabSize: 50_257, context: 1024, width: 768, layers: 12, heads: 12, inner: 3072, window: 1024 },
  ...{ epsilon: 1e-5, tied: true, attention: Array.from({ length: 12 }, () => 'global' as const) },
}
const [promptTokens, newTokens] = [64, 64]
/** Both run in turns: what else the machine does falls on both. */
const turns = 5

/** Also the tokens of a continuation, which is always the same. */
export type Continuations = Steps & { readonly tokens: readonly number[] }

export const generation: Bench = {
  about: 'a greedy continuation by GPT-2 124M, its weights random, beside transformers',
  run: async () => {
    warnOfLoad()
    const folder = mkdtempSync(join(tmpdir(), 'generate-'))
    try {
      saveModel(folder, { config, weights: initialise(config, 0) }, { eos: config.vocabSize - 1 })
      return await besideEachOther(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function besideEachOther(folder: string): Promise<readonly Figure[]> {
  const file = (name: string): string => join(import.meta.dirname, name)
  const args = [String(Math.min(2, availableParallelism())), folder, String(promptTokens), String(newTokens)]
  const peer = startStepper(await python(), [file('peers/generate.py'), ...args])
  const ours = startStepper(process.execPath, ['--import', 'tsx', file('generate-ours.ts'), ...args])
  try {
    return await measure(ours, peer)
  } finally {
    await Promise.all([ours.close(), peer.close()])
  }
}

async function measure(ours: Stepper, peer: Stepper): Promise<readonly Figure[]> {
  const mine = (await ours.run(1)) as Continuations // the first faults its memory in
  const theirs = (await peer.run(1)) as Continuations
  const times = { ours: [] as number[], peer: [] as number[], oursCpu: [] as number[], peerCpu: [] as number[] }
  for (let turn = 0; turn < turns; turn++) {
    const [one, other] = [await ours.run(1), await peer.run(1)]
    times.ours.push(...one.wall)
    times.peer.push(...other.wall)
    times.oursCpu.push(...one.cpu)
    times.peerCpu.push(...other.cpu)
  }
  const peerName = `transformers ${theirs.version}`
  const rate = (wall: readonly number[]): number[] => wall.map((ms) => (1000 * newTokens) / ms)
  const what = `${newTokens} tokens after ${promptTokens}`
  return [
    figure({
      ...{ what: `${what}, the prompt's time among theirs`, unit: 'tokens/s', reach: { min: 1 } },
      ...{ ours: rate(times.ours), peer: rate(times.peer), peerName },
    }),
    figure({
      ...{ what: `CPU time of ${what}`, unit: 'ms', reach: { max: 1 } },
      ...{ ours: times.oursCpu, peer: times.peerCpu, peerName },
    }),
    figure({
      ...{ what: `tokens of these that are not ${peerName}'s`, unit: 'tokens', reach: { max: 0 } },
      ours: mine.tokens.filter((token, n) => token !== theirs.tokens[n]).length,
    }),
  ]
}
