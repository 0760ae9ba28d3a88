import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GptConfig } from '../lib/model/config.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'
import { writeRandomModel } from './random-model.ts'

/** GPT-Neo-2.7B (Black et al. 2021), 2.65 billion weights. */
const shape: GptConfig = {
  architecture: 'gpt_neo',
  vocabSize: 50257,
  context: 2048,
  width: 2560,
  layers: 32,
  heads: 20,
  inner: 10240,
  attention: Array.from({ length: 32 }, (_, layer) => (layer % 2 === 0 ? 'global' : 'local')),
  window: 256,
  epsilon: 1e-5,
  tied: true,
}
const [tokens, context] = [4096, 1024]

export const teacher: Bench = {
  about: "targets of GPT-Neo-2.7B's shape beside transformers",
  run: async () => {
    warnOfLoad()
    const torch = await python()
    const folder = mkdtempSync(join(tmpdir(), 'teacher-'))
    try {
      const figures: Figure[] = []
      for (const dtype of ['F32', 'F16'] as const) {
        const model = join(folder, dtype)
        writeRandomModel(model, shape, dtype)
        figures.push(...measure(model, dtype, torch))
        rmSync(model, { recursive: true })
      }
      return figures
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

interface Taken {
  readonly seconds: number
  readonly peak: number
  readonly version: string
}

/** Both read the weights anew: what of the files is still in the system's cache serves both alike. */
function measure(model: string, dtype: string, torch: string): readonly Figure[] {
  const args = [model, String(Math.min(2, availableParallelism())), String(tokens), String(context)]
  const taken = (program: string, first: readonly string[]): Taken =>
    JSON.parse(
      execFileSync(program, [...first, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
    ) as Taken
  const ours = taken(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'teacher-ours.ts')])
  const peer = taken(torch, [join(import.meta.dirname, 'peers', 'teacher.py')])
  const peerName = `transformers ${peer.version}`
  return [
    figure({
      ...{ what: `targets for ${tokens} tokens, from ${dtype} files to the written file`, unit: 'tokens/s' },
      ...{ ours: tokens / ours.seconds, peer: tokens / peer.seconds, peerName, reach: { min: 1 } },
    }),
    figure({
      what: `its resident memory, from ${dtype} files`,
      unit: 'GiB',
      ours: ours.peak / 2 ** 30,
      reach: { max: 4 },
    }),
    figure({
      ...{ what: `the same, beside it`, unit: 'GiB', ours: ours.peak / 2 ** 30, peer: peer.peak / 2 ** 30 },
      ...{ peerName, reach: { max: 0.5 } },
    }),
  ]
}
