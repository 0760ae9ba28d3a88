import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openEngine } from '../lib/engine/index.ts'
import type { TensorValue } from '../lib/engine/index.ts'
import { release } from '../lib/engine/onnx/release.ts'
import { grad, graph, input, state } from '../lib/graph/index.ts'
import type { Graph } from '../lib/graph/index.ts'
import { distillLoss } from '../lib/model/losses.ts'
import { scalar } from '../lib/model/steps.ts'
import type { Taken } from './loss.ts'

/** Our side of the bench "loss": speaks as bench/peers/loss.py does, and takes the same arguments, and then the chunk. */
const [threads, tokens, width, words] = process.argv.slice(2, 6).map(Number) as [number, number, number, number]
const folder = process.argv[6]!
const [temperature, alpha, chunk] = process.argv.slice(7, 10).map(Number) as [number, number, number]

const engine = await openEngine({ name: 'onnx-cpu', threads })
const memory = engine.memory()
const heads = ['head', 'teacherHead'] as const
for (const name of heads) memory.write(name, { shape: [words, width], data: floats(name) })
const program = await engine.compile(lossGraph())
const feeds: Record<string, TensorValue> = {
  hidden: { shape: [tokens, width], data: floats('hidden') },
  teacherHidden: { shape: [tokens, width], data: floats('teacherHidden') },
  labels: { shape: [tokens], data: read('labels', new Int32Array(tokens)) },
  ...{ temperature: scalar(temperature), alpha: scalar(alpha) },
}
writeFileSync('/proc/self/clear_refs', '5') // the peak so far is forgotten
const before = resident('VmRSS')

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await steps(Number(line)))}\n`)
}

/** As a step of the training has it. */
function lossGraph(): Graph {
  const [hidden, head] = [input('hidden', [tokens, width]), state('head', [words, width])]
  const teacher = {
    ...{ hidden: input('teacherHidden', [tokens, width]), head: state('teacherHead', [words, width]) },
    ...{ temperature: input('temperature', []), alpha: input('alpha', []) },
    objective: { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true },
  }
  const inputs = { hidden, head, labels: input('labels', [tokens], 'int32'), teacher }
  const { loss } = distillLoss(inputs, chunk, { asked: ['hidden', 'head'] })
  const [dHidden, dHead] = grad(loss, [hidden, head])
  return graph({ outputs: { loss, hidden: dHidden!, head: dHead! } })
}

async function steps(count: number): Promise<Taken> {
  const [wall, cpu]: [number[], number[]] = [[], []]
  let found: Pick<Taken, 'loss' | 'hidden' | 'head'> = { loss: NaN, hidden: [], head: [] }
  for (let i = 0; i < count; i++) {
    const [started, busy] = [performance.now(), process.cpuUsage()]
    const { loss, hidden, head } = await program.run(feeds, memory)
    const { user, system } = process.cpuUsage(busy)
    wall.push(performance.now() - started)
    cpu.push((user + system) / 1000)
    found = { loss: loss!.data[0]!, hidden: first(hidden!), head: first(head!) }
    await release([hidden!, head!].map(({ data }) => data as Float32Array<ArrayBuffer>))
  }
  return { wall, cpu, version: engine.device, ...found, peak: resident('VmHWM') - before }
}

function first({ data }: TensorValue): number[] {
  return [...data.subarray(0, 64)]
}

function floats(name: string): Float32Array {
  return read(name, new Float32Array(statSync(join(folder, name)).size / 4))
}

/** Leaves nothing behind for the collector, whose hour would change what a step seems to take. */
function read<T extends Float32Array | Int32Array>(name: string, into: T): T {
  const file = openSync(join(folder, name), 'r')
  readSync(file, into)
  closeSync(file)
  return into
}

function resident(field: 'VmRSS' | 'VmHWM'): number {
  return 1024 * Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))![1])
}
