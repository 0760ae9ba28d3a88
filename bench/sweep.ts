import { copyFileSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { CurvePoint } from '../lib/model/train.ts'
import { packageRoot } from '../lib/util/package-root.ts'
import { startPipeline } from './command.ts'
import { copyProject } from './copy.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { python } from './python.ts'
import { startStepper } from './stepper.ts'
import type { Stepper, Steps } from './stepper.ts'
import { temperatures, training, writeGiven } from './sweep/given.ts'
import { operations, realPair } from './sweep/shapes.ts'

/** Of the training text: so many that starting the commands is a small part, and all sides take minutes. */
const rows = 160
/** Both sides run in turns, so many trainings each: what else the machine does falls on both. */
const inTurn = 2
const turns = Array.from({ length: Math.ceil(temperatures.length / inTurn) }, (_, n) =>
  temperatures.slice(inTurn * n, inTurn * (n + 1)),
)
/** The one in whose course the script trains, too. */
const scriptedTurn = turns.length >> 1
const online = ['-p', 'online.yaml']

export const sweep: Bench = {
  about: "six temperatures from one pass of the teacher's, beside the teacher in every step",
  run: async () => {
    warnOfLoad()
    const torch = await python()
    const [ours, peer] = [makeProject(), makeProject()]
    const script = startScript(torch, join(ours, 'given'))
    try {
      return figuresOf(await takeTurns(ours, peer, script))
    } finally {
      await script.close()
      for (const project of [ours, peer]) rmSync(project, { recursive: true, force: true })
    }
  },
}

/** Each side has one of its own, so that it builds and keeps all that it runs. */
function makeProject(): string {
  const project = copyProject(packageRoot())
  for (const file of ['pipeline.yaml', 'online.yaml']) {
    copyFileSync(join(import.meta.dirname, 'sweep', file), join(project, file))
  }
  writeGiven(join(project, 'given'), rows)
  return project
}

/** Takes a temperature where others take a number of steps. */
function startScript(torch: string, given: string): Stepper {
  const threads = String(Math.min(2, availableParallelism()))
  return startStepper(torch, [join(import.meta.dirname, 'peers', 'sweep.py'), given, threads])
}

/** One training's time, and the loss of its last step. */
type Trained = Steps & { readonly loss: number }

interface Taken {
  /** Of all trainings, from the start of each command to its end. */
  readonly seconds: { readonly ours: number; readonly online: number }
  /** The largest difference between final losses of the same training. */
  readonly apart: number
  /** One training by the script: its time is the same at every temperature. */
  readonly scripted: { readonly seconds: number; readonly apart: number; readonly version: string }
}

async function takeTurns(ours: string, peer: string, script: Stepper): Promise<Taken> {
  const seconds = { ours: 0, online: 0 }
  let apart = 0
  let scripted: Taken['scripted'] = { seconds: NaN, apart: NaN, version: '' }
  for (const [turn, tried] of turns.entries()) {
    seconds.ours += await train(ours, tried, [], turn === 0 ? ['teacher-logits'] : [])
    seconds.online += await train(peer, tried, online, [])
    if (turn === scriptedTurn) {
      const { wall, loss, version } = (await script.run(tried[0]!)) as Trained
      scripted = { seconds: wall[0]! / 1000, apart: Math.abs(lossOf(ours, tried[0]!) - loss), version }
    }
    for (const temperature of tried) {
      apart = Math.max(apart, Math.abs(lossOf(ours, temperature) - lossOf(peer, temperature)))
    }
    console.error(`turn ${turn + 1} of ${turns.length}: ${seconds.ours} s, ${seconds.online} s so far`)
  }
  return { seconds, apart, scripted }
}

/** Runs the real command; what it ran beside these trainings has to be `beside`. */
async function train(
  project: string,
  tried: readonly number[],
  args: readonly string[],
  beside: readonly string[],
): Promise<number> {
  const cells = tried.map((temperature) => `distill[${temperature}]`)
  const { seconds, stages } = await startPipeline(project, ['--engine', 'onnx-cpu', ...args, ...cells]).ended
  const ran = stages.flatMap(({ name, outcome }) => (outcome === 'ran' ? [name] : []))
  const expected = [...beside, ...cells]
  if (ran.toSorted().join() !== expected.toSorted().join()) {
    throw new Error(`the sweep ran ${ran.join(', ')}, expected ${expected.join(', ')}`)
  }
  return seconds
}

function lossOf(project: string, temperature: number): number {
  const lines = readFileSync(join(project, 'artifacts', 'distill', String(temperature), 'curves'), 'utf8')
  return (JSON.parse(lines.trimEnd().split('\n').at(-1)!) as CurvePoint).loss
}

function figuresOf({ seconds, apart, scripted }: Taken): readonly Figure[] {
  const { epochs } = training
  const what = `${temperatures.length} temperatures, ${epochs} epochs each, the teacher's pass among them`
  const real = operations(realPair, temperatures.length * epochs)
  const [inEach, script] = ['the teacher in every step', `PyTorch ${scripted.version}, the teacher in every step`]
  return [
    figure({ what, unit: 's', ours: seconds.ours, peer: seconds.online, peerName: inEach, reach: { max: 0.25 } }),
    figure({
      ...{
        what: `the same, one of the peer's trainings taken ${temperatures.length} times`,
        unit: 's',
        reach: { max: 0.25 },
      },
      ...{ ours: seconds.ours, peer: temperatures.length * scripted.seconds, peerName: script },
    }),
    figure({
      ...{ what: 'the same of GPT-Neo-2.7B and GPT-2 124M, computed', unit: 'million operations a token' },
      ...{ ours: real.targets / 1e6, peer: real.online / 1e6, peerName: inEach, reach: { max: 0.25 } },
    }),
    figure({
      what: `final losses: the largest difference to ${inEach}`,
      unit: 'nats',
      ours: apart,
      reach: near,
    }),
    figure({
      what: `final losses: the largest difference to ${script}`,
      unit: 'nats',
      ours: scripted.apart,
      reach: near,
    }),
  ]
}

/**
 * Hidden states are kept as halves, and steps in other orders of adding up part a little more with each. That compares the
 * teachers only where a training is stable: its rate is one at which a student whose one weight differs in the last bit
 * stays within 1e-6 nats of itself in every step.
 */
const near = { max: 0.001 }
