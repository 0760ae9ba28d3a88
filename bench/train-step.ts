import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { figure, median, REST } from './figures.ts'
import type { Account, Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'
import { startStepper } from './stepper.ts'
import type { Stepper, Steps } from './stepper.ts'

/** L4 d256 H4 V8192, 8 × 128, fp32, tied embeddings, tanh-GELU: forward, backward, AdamW. */
const shape = [4, 256, 4, 8192, 8, 128].map(String)
/** Both run in turns, a few steps each: what else the machine does falls on both. */
const turns = 12
const stepsATurn = 4
const profiled = 20

export const trainStep: Bench = {
  about: 'a training step of a small GPT beside PyTorch',
  run: async () => {
    const threads = String(Math.min(2, availableParallelism()))
    warnOfLoad()
    const torch = await python()
    const start = (...more: readonly string[]): Pair => ({
      ours: startStepper(
        node,
        ['--import', 'tsx', file('train-step-ours.ts'), threads, ...shape, 'auto', ...more],
        keepFreed,
      ),
      peer: startStepper(torch, [file('peers/train_step.py'), threads, ...shape, ...more], keepFreed),
    })
    const [time, ...others] = await closing(start(), measure)
    return [{ ...time, parts: await closing(start('profile'), account) }, ...others]
  },
}

interface Pair {
  readonly ours: Stepper
  readonly peer: Stepper
}

async function closing<T>(pair: Pair, use: (pair: Pair) => Promise<T>): Promise<T> {
  try {
    return await use(pair)
  } finally {
    await Promise.all([pair.ours.close(), pair.peer.close()])
  }
}

/** glibc gives large blocks back to the system at once, and faults them in anew: neither side is to pay for that. */
const keepFreed = { MALLOC_MMAP_THRESHOLD_: String(2 ** 34), MALLOC_TRIM_THRESHOLD_: String(2 ** 34) }

const node = process.execPath
const file = (name: string): string => join(import.meta.dirname, name)

async function measure({ ours, peer }: Pair): Promise<readonly [Figure, Figure]> {
  await ours.run(5) // the first steps fault their memory in
  const { version } = await peer.run(5)
  const times = { ours: [] as number[], peer: [] as number[], oursCpu: [] as number[], peerCpu: [] as number[] }
  for (let turn = 0; turn < turns; turn++) {
    const [mine, theirs] = [await ours.run(stepsATurn), await peer.run(stepsATurn)]
    // the first step of a turn pays for waking up
    times.ours.push(...mine.wall.slice(1))
    times.peer.push(...theirs.wall.slice(1))
    times.oursCpu.push(...mine.cpu.slice(1))
    times.peerCpu.push(...theirs.cpu.slice(1))
  }
  const peerName = `PyTorch ${version}`
  return [
    figure({ what: 'time of a step', unit: 'ms', ours: times.ours, peer: times.peer, peerName, reach: { max: 0.85 } }),
    figure({
      ...{ what: 'CPU time of a step', unit: 'ms', ours: times.oursCpu, peer: times.peerCpu },
      ...{ peerName, reach: { max: 0.95 } },
    }),
  ]
}

/** Where a step's time goes: what takes a hundredth of it or more, and the rest. */
async function account({ ours, peer }: Pair): Promise<NonNullable<Figure['parts']>> {
  return { ours: parts(await ours.run(profiled)), peer: parts(await peer.run(profiled)) }
}

function parts({ wall, account: ops }: Steps): Account {
  if (!ops) throw new Error('A profiled step gave no account')
  const whole = median(wall)
  const large = Object.entries(ops).filter(([, time]) => time >= whole / 100)
  const rest = large.reduce((left, [, time]) => left - time, whole)
  return Object.fromEntries([...large.sort(([, a], [, b]) => b - a), [REST, rest]])
}
