import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { readItems } from '../lib/data/tasks.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { initialise, saveModel } from '../lib/model/weights.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'

/** GPT-2 124M's shape. */
const config: GptConfig = {
  architecture: 'gpt2',
  ...{ vocabSize: 50_257, context: 1024, width: 768, layers: 12, heads: 12, inner: 3072, window: 1024 },
  ...{ epsilon: 1e-5, tied: true, attention: Array.from({ length: 12 }, () => 'global' as const) },
}
/** The first of HellaSwag's validation items. */
const count = 200

export const score: Bench = {
  about: "HellaSwag by a GPT-2 124M beside lm-evaluation-harness and the plain script, on PIPELINE_DATA's items",
  run: async () => {
    const data = process.env['PIPELINE_DATA']
    if (data === undefined) throw new Error('PIPELINE_DATA must name a folder with hellaswag/ and tokenizer/')
    warnOfLoad()
    const program = await python()
    const folder = mkdtempSync(join(tmpdir(), 'score-'))
    try {
      cpSync(join(data, 'tokenizer'), folder, { recursive: true })
      saveModel(folder, { config, weights: initialise(config, 0) }, { eos: config.vocabSize - 1 })
      return compare(folder, join(data, 'hellaswag', 'hellaswag_val.jsonl'), program)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

interface Taken {
  /** From the loaded model to the last score. */
  readonly seconds: number
  readonly peak: number
  readonly version: string
  /** Summed log-probability of each ending, item by item. */
  readonly logProbs: readonly (readonly number[])[]
}

function compare(folder: string, file: string, python: string): readonly Figure[] {
  const threads = String(Math.min(2, availableParallelism()))
  const run = (program: string, ...args: readonly string[]): Taken =>
    JSON.parse(
      execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1e8 }),
    ) as Taken
  const ours = (convention: string): Taken =>
    run(
      process.execPath,
      ...['--import', 'tsx', join(import.meta.dirname, 'score-ours.ts'), folder, threads],
      ...[file, convention, String(count)],
    )
  return (['harness', 'plain'] as const).flatMap((convention) => {
    const asked = join(folder, `${convention}.json`)
    writeFileSync(asked, JSON.stringify(worded(file, convention)))
    const mine = ours(convention)
    const theirs = run(python, join(import.meta.dirname, 'peers', 'score.py'), folder, threads, asked, convention)
    return figuresOf(mine, theirs)
  })
}

/** Context and ending of each option of the items that are compared. */
function worded(file: string, convention: 'harness' | 'plain'): readonly (readonly (readonly string[])[])[] {
  const items = readItems(file, 'hellaswag', convention)
  if (!items.ok) throw items.error
  return items.value.slice(0, count).map(({ options }) => options.map(({ context, ending }) => [context, ending]))
}

function figuresOf(mine: Taken, theirs: Taken): readonly Figure[] {
  const apart = mine.logProbs.flatMap((row, i) => row.map((value, n) => Math.abs(value - theirs.logProbs[i]![n]!)))
  return [
    figure({
      ...{ what: `${count} items`, unit: 'items/s', reach: { min: 3 } },
      ...{ ours: count / mine.seconds, peer: count / theirs.seconds, peerName: theirs.version },
    }),
    figure({
      ...{ what: `a log-probability's difference from that of ${theirs.version}, at most`, unit: 'nats' },
      ...{ ours: Math.max(...apart), reach: { max: 1e-3 } },
    }),
  ]
}
