import { createInterface } from 'node:readline'
import { openEngine } from '../lib/engine/index.ts'
import type { Precision, Program, TensorValue } from '../lib/engine/index.ts'
import { grad, graph, input, reshape, state } from '../lib/graph/index.ts'
import type { Graph, Tensor } from '../lib/graph/index.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { gpt, headOf } from '../lib/model/gpt.ts'
import { distillLoss } from '../lib/model/losses.ts'
import { adamW, corrections, updateAdamW } from '../lib/model/optimizer.ts'
import { emptyState, scalar } from '../lib/model/steps.ts'
import { initialise, loadInto, weightShapes } from '../lib/model/weights.ts'
import { Random } from '../lib/util/random.ts'
import { profileSessions } from './profile.ts'
import type { Steps } from './stepper.ts'

/** Our side of the bench "train-step": speaks as bench/peers/train_step.py does, and takes the same arguments. */
const [threads, layers, width, heads, words, rows, context] = process.argv.slice(2, 9).map(Number) as [
  ...[number, number, number, number],
  ...[number, number, number],
]
/** `cuda`, or `cuda:bf16` with a precision; `auto` where none is named. */
const [choice = 'auto', ...options] = process.argv.slice(9)
const [engineName = '', precision = 'fp32'] = choice.split(':')
const endProfile = options.includes('profile') ? profileSessions() : undefined
const config: GptConfig = {
  architecture: 'gpt2',
  vocabSize: words,
  ...{ context, width, layers, heads, inner: 4 * width, window: 256, epsilon: 1e-5, tied: true },
  attention: Array.from({ length: layers }, () => 'global' as const),
}

const engine = await openEngine({ name: engineName, threads, precision: precision as Precision })
const memory = engine.memory()
loadInto(memory, initialise(config, 0))
loadInto(memory, emptyState(config, 1))
const program = await engine.compile(stepGraph())
const batch = makeBatch(new Random(0))
let done = 0

for await (const line of createInterface({ input: process.stdin })) {
  const taken = await steps(program, Number(line))
  process.stdout.write(`${JSON.stringify({ ...taken, account: endProfile?.() })}\n`)
}

/** What the peer does and no more: no clipping, no accumulation. */
function stepGraph(): Graph {
  const weights = new Map([...weightShapes(config)].map(([name, shape]) => [name, state(name, shape)]))
  const weight = (name: string): Tensor => weights.get(name)!
  const count = rows * context
  const hidden = reshape(gpt(config, weight, { tokens: input('tokens', [rows, context], 'int32') }), [count, width])
  const { loss } = distillLoss(
    { hidden, head: headOf(config, weight), labels: input('labels', [count], 'int32') },
    count,
  )
  const derivatives = grad(loss, [...weights.values()])
  const gradients = new Map([...weights.keys()].map((name, i) => [name, derivatives[i]!]))
  const [rate, correction1, correction2] = [input('rate', []), input('correction1', []), input('correction2', [])]
  return graph({
    outputs: { loss },
    updates: updateAdamW(weights, gradients, { rate, correction1, correction2 }, adamW),
  })
}

async function steps(step: Program, count: number): Promise<Steps & { readonly loss: number }> {
  const [wall, cpu]: [number[], number[]] = [[], []]
  let loss = NaN
  for (let i = 0; i < count; i++) {
    const [started, busy] = [performance.now(), process.cpuUsage()]
    const [correction1, correction2] = corrections(++done, adamW)
    const scalars = { rate: scalar(1e-3), correction1: scalar(correction1), correction2: scalar(correction2) }
    loss = (await step.run({ ...batch, ...scalars }, memory))['loss']!.data[0]!
    const { user, system } = process.cpuUsage(busy)
    wall.push(performance.now() - started)
    cpu.push((user + system) / 1000)
  }
  return { wall, cpu, loss, version: engine.device }
}

function makeBatch(random: Random): Record<string, TensorValue> {
  const tokens = Int32Array.from({ length: rows * context }, () => random.below(words))
  const next = tokens.map((_, i) => tokens[i % context === context - 1 ? i + 1 - context : i + 1]!)
  return {
    tokens: { shape: [rows, context], data: tokens },
    labels: { shape: [rows * context], data: next },
  }
}
