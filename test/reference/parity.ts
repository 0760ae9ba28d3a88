// FOLDER, written by `parity.py make`: our answers to its questions go to FOLDER/ours, for `parity.py compare`.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publishFile } from '../../lib/data/publish.ts'
import { writeSafetensors } from '../../lib/data/safetensors-write.ts'
import { openEngine } from '../../lib/engine/index.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import { headWeight } from '../../lib/model/gpt.ts'
import { compileLikelihood, hold, likelihood } from '../../lib/model/likelihood.ts'
import type { Running } from '../../lib/model/likelihood.ts'
import { logitsOf } from '../../lib/model/logits.ts'
import { adamW } from '../../lib/model/optimizer.ts'
import { accumulatorName, compileAccumulate, scalar } from '../../lib/model/steps.ts'
import { teacherHeadName } from '../../lib/model/taught.ts'
import { loadModel, openModel, saveModel } from '../../lib/model/weights.ts'

interface Question {
  readonly tokens: readonly number[]
  readonly labels: readonly number[]
}

interface Questions {
  readonly models: Readonly<Record<string, Question>>
  /** Folders in half precision. */
  readonly halves: readonly string[]
  readonly step: Step
}

interface Step extends Question {
  readonly temperature: number
  readonly alpha: number
}

const folder = process.argv[2]!
const questions = JSON.parse(readFileSync(join(folder, 'questions.json'), 'utf8')) as Questions
const objective = { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true }
/** Does not divide the step's tokens: the last chunk is a smaller one. */
const chunk = 200
const ours = (name: string): string => join(folder, 'ours', name)
const engine = await openEngine({ name: 'onnx-cpu', threads: 2 })
mkdirSync(join(folder, 'ours'))

for (const [name, question] of Object.entries(questions.models)) await answer(name, question)
const digests: Record<string, Record<string, string>> = {}
for (const name of questions.halves) digests[name] = await digestsOf(name)
writeFileSync(ours('digests.json'), JSON.stringify(digests))
await distil(questions.step)
await engine.dispose()

async function answer(name: string, { tokens, labels }: Question): Promise<void> {
  const model = await loadModel(join(folder, name))
  saveModel(ours(name), model, { eos: model.config.vocabSize - 1 })
  const running = hold(engine, model)
  writeFloats(ours(`${name}.logits`), await logitsOf(running, tokens))
  writeFloats(ours(`${name}.log-probs`), [await logProbsOf(running, tokens, labels)])
  running.memory.dispose()
}

async function logProbsOf(model: Running, tokens: readonly number[], labels: readonly number[]): Promise<Float32Array> {
  const shape = { rows: 1, length: tokens.length, scored: labels.length, tree: false }
  const program = await compileLikelihood(model, shape)
  const scored = labels.map((label, source) => ({ source, label }))
  const { logProbs } = await likelihood(program, model.memory, { tokens: rowOf(tokens) }, scored, shape)
  await program.dispose()
  return Float32Array.from(logProbs)
}

/** By name, sha256 of a weight's float32 bytes. */
async function digestsOf(name: string): Promise<Record<string, string>> {
  const { weights } = await loadModel(join(folder, name))
  const digest = (data: TensorValue['data']): string => createHash('sha256').update(data).digest('hex')
  return Object.fromEntries([...weights].map(([key, { data }]) => [key, digest(data)]))
}

/** Loss and gradients as a training has them, whose sums of gradients begin at 0 here. */
async function distil(step: Step): Promise<void> {
  const { config, weights } = await loadModel(join(folder, 'gpt2'))
  const teacher = await openModel(join(folder, 'gpt-neo'))
  const head = teacher.weight(headWeight(teacher.config))
  const { memory } = hold(engine, { config, weights })
  memory.write(teacherHeadName, head)
  for (const [name, { shape, data }] of weights) {
    memory.write(accumulatorName(name), { shape, data: new Float32Array(data.length) })
  }
  const [rows, width] = head.shape as readonly [number, number]
  const program = await compileAccumulate(engine, {
    ...{
      config,
      rows: 1,
      context: step.tokens.length,
      chunk,
      teacher: { kind: 'hidden', head: [rows, width], objective },
    },
    ...{ optimizer: adamW, clip: 1 },
  })
  const losses = await program.run(feedsOf(step, width), memory)
  await program.dispose()
  const found = new Map<string, TensorValue>(Object.entries(losses))
  for (const name of weights.keys()) found.set(`gradient/${name}`, await memory.read(accumulatorName(name)))
  writeSafetensors(ours('step.safetensors'), found, { dtype: 'F32' })
  memory.dispose()
}

function feedsOf({ tokens, labels, temperature, alpha }: Step, width: number): Record<string, TensorValue> {
  return {
    tokens: rowOf(tokens),
    labels: { shape: [labels.length], data: Int32Array.from(labels) },
    weight: scalar(labels.filter((label) => label >= 0).length),
    teacherHidden: { shape: [tokens.length, width], data: readFloats(join(folder, 'step.teacher-hidden')) },
    temperature: scalar(temperature),
    alpha: scalar(alpha),
  }
}

function rowOf(tokens: readonly number[]): TensorValue {
  return { shape: [1, tokens.length], data: Int32Array.from(tokens) }
}

function readFloats(file: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(file)
  return new Float32Array(buffer, byteOffset, byteLength / 4)
}

function writeFloats(file: string, parts: readonly Float32Array[]): void {
  publishFile(file, (append) => {
    for (const { buffer, byteOffset, byteLength } of parts) append(new Uint8Array(buffer, byteOffset, byteLength))
  })
}
