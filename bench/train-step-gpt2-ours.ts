import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { makeSplit } from '../lib/data/tokens.ts'
import type { Split } from '../lib/data/tokens.ts'
import { openEngine } from '../lib/engine/index.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { adamW } from '../lib/model/optimizer.ts'
import { readTargets } from '../lib/model/teacher.ts'
import type { TrainOptions } from '../lib/model/train.ts'
import { Trainer } from '../lib/model/trainer.ts'
import { initialise } from '../lib/model/weights.ts'
import type { Sized } from './train-step-gpt2.ts'

/** Four batches of rows. */
export function splitOf(rows: number, context: number): Split {
  const ids = Uint16Array.from({ length: 4 * rows * context + 1 }, (_, i) => (i * 7919) % student.vocabSize)
  return makeSplit(ids, Uint32Array.of(0), 'anywhere')
}

/** GPT-2 124M (Radford et al. 2019). */
const student: GptConfig = {
  architecture: 'gpt2',
  ...{ vocabSize: 50_257, context: 1024, width: 768, layers: 12, heads: 12, inner: 3072, window: 1024 },
  ...{ epsilon: 1e-5, tied: true, attention: Array.from({ length: 12 }, () => 'global' as const) },
}

/** Our side of the bench "train-step-gpt2", a training as the stage has it: speaks as bench/peers/train_step_gpt2.py does. */
async function main([threads = '', rows = '', context = '', folder = '']: readonly string[]): Promise<void> {
  const engine = await openEngine({ name: 'auto', threads: Number(threads) })
  const train = splitOf(Number(rows), Number(context))
  const validation = makeSplit(train.ids.slice(0, Number(context) + 1), Uint32Array.of(0), 'anywhere')
  const inputs = { engine, config: student, weights: initialise(student, 0), train, validation }
  const options: TrainOptions = {
    ...{ context: Number(context), batch: Number(rows), accumulate: 1, clip: 1, seed: 1, chunk: 512 },
    ...{ validateEvery: 1e6, validationRows: 1, optimizer: adamW, temperature: 2, alpha: 0.9 },
    rate: { peak: 1e-5, warmup: 0, decay: 'cosine', last: 1, steps: 1e6 },
  }
  const checkpoint = mkdtempSync(join(tmpdir(), 'checkpoint-'))
  const hooks = { checkpoint, signal: new AbortController().signal, onStep: () => undefined, log: () => undefined }
  const memory = engine.memory()
  const objective = { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true }
  const teacher = { ...readTargets(folder, 'bucket'), objective }
  const trainer = await Trainer.create({ ...inputs, teacher }, options, hooks, memory)
  await trainer.resume()
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await steps(trainer, Number(line), engine.device))}\n`)
  }
  rmSync(checkpoint, { recursive: true })
}

async function steps(trainer: Trainer, count: number, version: string): Promise<Sized> {
  const [wall, cpu]: [number[], number[]] = [[], []]
  for (let i = 0; i < count; i++) {
    const [started, busy] = [performance.now(), process.cpuUsage()]
    await trainer.step()
    const { user, system } = process.cpuUsage(busy)
    wall.push(performance.now() - started)
    cpu.push((user + system) / 1000)
  }
  return { wall, cpu, version, peak: process.resourceUsage().maxRSS * 1024 }
}

if (process.argv[1] === import.meta.filename) await main(process.argv.slice(2))
