import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../lib/util/random.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'
import { startStepper } from './stepper.ts'
import type { Steps } from './stepper.ts'

/** A row of GPT-2's full context, the student's and the teacher's head 768 wide. */
const [tokens, width, words] = [1024, 768, 50_257]
const [temperature, alpha] = [2, 0.9]
/** Fewer than a training takes unless told: less memory, for a little time. */
const chunk = 32
const turns = 8

/** What a side found: the loss, the first values of its gradients, and its bytes beyond those before the first step. */
export type Taken = Steps & {
  readonly loss: number
  readonly hidden: readonly number[]
  readonly head: readonly number[]
  readonly peak: number
}

export const loss: Bench = {
  about: 'the distillation loss over the vocabulary, with its gradients, beside PyTorch',
  run: async () => {
    warnOfLoad()
    const torch = await python()
    const folder = mkdtempSync(join(tmpdir(), 'loss-'))
    try {
      writeProblem(folder)
      return await measure(folder, torch)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** Logits of a deviation of about 3. */
function writeProblem(folder: string): void {
  const write = (name: string, size: number, scale: number): void => {
    const random = new Random(1, name)
    writeFileSync(
      join(folder, name),
      Float32Array.from({ length: size }, () => scale * random.normal()),
    )
  }
  for (const name of ['hidden', 'teacherHidden']) write(name, tokens * width, 1)
  for (const name of ['head', 'teacherHead']) write(name, words * width, 0.1)
  const random = new Random(1, 'labels')
  writeFileSync(
    join(folder, 'labels'),
    Int32Array.from({ length: tokens }, () => random.below(words)),
  )
}

async function measure(folder: string, torch: string): Promise<readonly Figure[]> {
  const threads = Math.min(2, availableParallelism())
  const args = [...[threads, tokens, width, words].map(String), folder, String(temperature), String(alpha)]
  const file = (name: string): string => join(import.meta.dirname, name)
  const ours = startStepper(process.execPath, ['--import', 'tsx', file('loss-ours.ts'), ...args, String(chunk)])
  const peer = startStepper(torch, [file('peers/loss.py'), ...args])
  try {
    const [mine, theirs]: [Taken[], Taken[]] = [[], []]
    for (let turn = 0; turn < turns; turn++) {
      mine.push((await ours.run(1)) as Taken)
      theirs.push((await peer.run(1)) as Taken)
    }
    return figuresOf(mine, theirs)
  } finally {
    await Promise.all([ours.close(), peer.close()])
  }
}

function figuresOf(mine: readonly Taken[], theirs: readonly Taken[]): readonly Figure[] {
  const peerName = `PyTorch ${theirs[0]!.version}`
  // the first step faults its memory in
  const time = (taken: readonly Taken[]): number[] => taken.slice(1).flatMap(({ wall }) => wall.map((ms) => ms / 1000))
  const peak = (taken: readonly Taken[]): number => taken.at(-1)!.peak / 2 ** 20
  const [a, b] = [mine.at(-1)!, theirs.at(-1)!]
  const size = `${tokens} × ${width} → ${words}, ours ${chunk} tokens at a time`
  return [
    figure({
      ...{ what: `time of the loss and its gradients, ${size}`, unit: 's', reach: { max: 1 } },
      ...{ ours: time(mine), peer: time(theirs), peerName },
    }),
    figure({
      what: 'most resident memory beyond what was there before the first step (hidden states, heads, the libraries); both gradients count',
      ...{ unit: 'MiB', reach: { max: 0.25 }, ours: peak(mine), peer: peak(theirs), peerName },
    }),
    figure({ what: `difference of the losses (${a.loss})`, ...difference([a.loss], [b.loss], 1e-5) }),
    figure({
      what: 'difference of the gradients of the hidden states, 64 values',
      ...difference(a.hidden, b.hidden, 1e-4),
    }),
    figure({ what: 'difference of the gradients of the head, 64 values', ...difference(a.head, b.head, 1e-4) }),
  ]
}

/** The greatest one, as a share of the greatest value. */
function difference(
  ours: readonly number[],
  peer: readonly number[],
  max: number,
): Pick<Figure, 'unit' | 'ours' | 'reach'> {
  const greatest = (values: readonly number[]): number => Math.max(...values.map(Math.abs))
  const apart = greatest(ours.map((value, i) => value - peer[i]!))
  return { unit: 'of the greatest value', ours: apart / greatest(peer), reach: { max } }
}
