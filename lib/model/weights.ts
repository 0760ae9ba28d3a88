import { digestModel } from '../data/digest.ts'
import { readJson } from '../data/read.ts'
import { publishFile } from '../data/publish.ts'
import type { Checkpoint, StoredTensor } from '../data/checkpoint.ts'
import { writeSafetensors } from '../data/safetensors-write.ts'
import { readWeights } from '../data/weights.ts'
import type { Feed, Memory, TensorValue } from '../engine/engine.ts'
import { sizeOf, state, transpose } from '../graph/index.ts'
import { Failure } from '../util/failure.ts'
import type { JsonObject } from '../util/json.ts'
import { startInduction } from './induction.ts'
import { Random } from '../util/random.ts'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfig, writeConfig } from './config.ts'
import type { GptConfig } from './config.ts'
import type { Weights } from './gpt.ts'

/** A model whose weights are still in its files. */
export interface StoredModel {
  readonly config: GptConfig
  /** sha256 of the folder's configuration and weights. */
  readonly digest: string
  /** Reads a weight by its checkpoint name; all matrices are (in, out). Throws Failure …_TRUNCATED. */
  readonly weight: (name: string) => TensorValue
  /** The same as its file has it: halves where they are, and matrices as `storedState` takes them. */
  readonly stored: (name: string) => Feed
}

export interface Model {
  readonly config: GptConfig
  readonly digest: string
  readonly weights: ReadonlyMap<string, TensorValue>
}

type Shape = readonly number[]

/** Names and shapes of all weights, matrices as (in, out), in the order of the layers. */
export function weightShapes(config: GptConfig): Map<string, Shape> {
  const { vocabSize: V, context, width: C, inner: I, layers } = config
  const shapes: [string, Shape][] = [
    ['transformer.wte.weight', [V, C]],
    ['transformer.wpe.weight', [context, C]],
  ]
  const linear = (name: string, from: number, to: number, bias = true): void => {
    shapes.push([`${name}.weight`, [from, to]])
    if (bias) shapes.push([`${name}.bias`, [to]])
  }
  const norm = (name: string): void => void shapes.push([`${name}.weight`, [C]], [`${name}.bias`, [C]])
  for (let layer = 0; layer < layers; layer++) {
    const block = `transformer.h.${layer}`
    norm(`${block}.ln_1`)
    if (config.architecture === 'gpt2') {
      linear(`${block}.attn.c_attn`, C, 3 * C)
      linear(`${block}.attn.c_proj`, C, C)
    } else {
      for (const name of ['q_proj', 'k_proj', 'v_proj']) linear(`${block}.attn.attention.${name}`, C, C, false)
      linear(`${block}.attn.attention.out_proj`, C, C)
    }
    norm(`${block}.ln_2`)
    linear(`${block}.mlp.c_fc`, C, I)
    linear(`${block}.mlp.c_proj`, I, C)
  }
  norm('transformer.ln_f')
  if (!config.tied) shapes.push(['lm_head.weight', [V, C]])
  return new Map(shapes)
}

/** The weights as state leaves of a graph, under their own names. */
export const weightState = (config: GptConfig): Weights => stateOf(weightShapes(config))

/** The same of what `stored` gives: matrices are (out, in) in memory where the file has them so. */
export function storedState(config: GptConfig): Weights {
  const leaf = stateOf(new Map([...weightShapes(config)].map(([name, shape]) => [name, inFile(config, name, shape)])))
  return (name) => (isOutIn(config, name) ? transpose(leaf(name), [1, 0]) : leaf(name))
}

/** State leaves of a graph by their names. */
export function stateOf(shapes: ReadonlyMap<string, Shape>): Weights {
  const leaves = new Map([...shapes].map(([name, shape]) => [name, state(name, shape)]))
  return (name) => {
    const leaf = leaves.get(name)
    if (!leaf) throw new Error(`Internal error: the model has no weight "${name}"`)
    return leaf
  }
}

export function loadInto(memory: Memory, weights: Model['weights']): void {
  for (const [name, value] of weights) memory.write(name, value)
}

export async function readFrom(memory: Memory, config: GptConfig): Promise<Map<string, TensorValue>> {
  const read = async (name: string): Promise<[string, TensorValue]> => [name, await memory.read(name)]
  return new Map(await Promise.all([...weightShapes(config).keys()].map(read)))
}

/** Values trained, the tied embedding counted once. */
export const parameterCount = (config: GptConfig): number =>
  [...weightShapes(config).values()].reduce((count, shape) => count + sizeOf(shape), 0)

/** For people: `GPT-Neo, 4 layers, 128 wide`. */
export const describeModel = ({ architecture, layers, width }: GptConfig): string =>
  `${architecture === 'gpt2' ? 'GPT-2' : 'GPT-Neo'}, ${layers} layers, ${width} wide`

/** A model folder with all of its weights in memory. Throws Failure as `openModel` and its `weight`. */
export async function loadModel(folder: string): Promise<Model> {
  return loadStored(await openModel(folder))
}

export const loadStored = ({ config, digest, weight }: StoredModel): Model => ({
  config,
  digest,
  weights: new Map([...weightShapes(config).keys()].map((name) => [name, weight(name)])),
})

/**
 * Opens a model folder (config.json and its weights), with or without the `transformer.` prefix, with or without a stored
 * tied head. Throws Failure CONFIG_…, WEIGHTS_MISSING, WEIGHTS_SHAPE, WEIGHTS_UNTIED, and what `readWeights` throws.
 */
export async function openModel(folder: string): Promise<StoredModel> {
  const file = join(folder, 'config.json')
  const config = parseConfig(readJson(file), file)
  if (!config.ok) throw config.error
  const checkpoint = await readWeights(folder)
  const stored = new Map(
    [...weightShapes(config.value)].map(([name, shape]) => [
      name,
      locate(checkpoint, folder, config.value, name, shape),
    ]),
  )
  if (config.value.tied) checkHead(checkpoint, folder, stored.get('transformer.wte.weight')!)
  const find = (name: string): StoredTensor => {
    const tensor = stored.get(name)
    if (!tensor) throw new Error(`Internal error: the model has no weight "${name}"`)
    return tensor
  }
  return {
    config: config.value,
    digest: await digestModel(folder),
    weight: (name) => {
      const tensor = find(name)
      const value = { shape: tensor.shape, data: tensor.data() }
      return isOutIn(config.value, name) ? transposed(value) : value
    },
    stored: (name) => {
      const tensor = find(name)
      const { shape, halves } = tensor
      return halves ? { shape, data: halves() } : { shape, data: tensor.data() }
    },
  }
}

/** Writes config.json and model.safetensors as transformers reads them. Tokenizer files are the caller's. */
export function saveModel(
  folder: string,
  { config, weights }: Omit<Model, 'digest'>,
  { dtype = 'F32', eos }: { dtype?: 'F32' | 'F16'; eos: number },
): void {
  mkdirSync(folder, { recursive: true })
  const stored = new Map([...weights].map(([name, value]) => [name, isOutIn(config, name) ? transposed(value) : value]))
  writeSafetensors(join(folder, 'model.safetensors'), stored, { dtype })
  saveConfig(folder, config, eos)
}

/** Writes config.json as transformers reads it, with what more a reader of `extra` wants to find there. */
export function saveConfig(folder: string, config: GptConfig, eos: number, extra: JsonObject = {}): void {
  const json = `${JSON.stringify({ ...writeConfig(config, eos), ...extra }, null, 2)}\n`
  publishFile(join(folder, 'config.json'), (append) => append(Buffer.from(json)))
}

/** How new weights start: `deviation` is that of the matrices; `induction` is what `startInduction` makes of them. */
export interface Start {
  readonly deviation?: number
  readonly start?: 'normal' | 'induction'
}

/**
 * A new model, drawn as GPT-2's was: normal with a deviation of 0.02, the projections back into the residual stream
 * smaller by √(2·layers) (Radford et al. 2019, 2.3), biases 0, layer norms 1. Small widths need a larger deviation.
 * GPT-Neo does not divide its scores by √D: its queries and keys are smaller by ⁴√D instead.
 */
export function initialise(
  config: GptConfig,
  seed: number,
  { deviation = 0.02, start = 'normal' }: Start = {},
): Map<string, TensorValue> {
  const weights = new Map(
    [...weightShapes(config)].map(([name, shape]) => {
      const data = new Float32Array(sizeOf(shape))
      if (shape.length === 1) data.fill(name.endsWith('.weight') ? 1 : 0)
      else {
        const random = new Random(seed, name)
        const scale = deviation * shareOf(name, config)
        for (let i = 0; i < data.length; i++) data[i] = random.normal() * scale
      }
      return [name, { shape, data }]
    }),
  )
  if (start === 'induction') startInduction(config, seed, weights)
  return weights
}

function shareOf(name: string, { width, heads, layers }: GptConfig): number {
  if (/\.(c_proj|out_proj)\.weight$/.test(name)) return 1 / Math.sqrt(2 * layers)
  return /\.(q_proj|k_proj)\.weight$/.test(name) ? (width / heads) ** -0.25 : 1
}

/** GPT-2's checkpoints hold Conv1D matrices (in, out), GPT-Neo's hold Linear ones (out, in). */
export function isOutIn(config: GptConfig, name: string): boolean {
  return config.architecture === 'gpt_neo' && /\.h\.\d+\..*(_proj|c_fc)\.weight$/.test(name)
}

const inFile = (config: GptConfig, name: string, shape: Shape): Shape =>
  isOutIn(config, name) ? [...shape].reverse() : shape

function locate(from: Checkpoint, folder: string, config: GptConfig, name: string, shape: Shape): StoredTensor {
  const stored = [name, name.replace(/^transformer\./, '')].find((one) => from.has(one))
  if (stored === undefined) {
    throw new Failure(
      'WEIGHTS_MISSING',
      `The model in "${folder}" lacks the weight "${name}" that its config.json asks for.`,
    )
  }
  const tensor = from.tensor(stored)
  const expected = inFile(config, name, shape)
  if (expected.join() !== tensor.shape.join()) {
    const message = `"${stored}" in "${folder}" has the shape [${tensor.shape.join()}]; its config.json asks for [${expected.join()}].`
    throw new Failure('WEIGHTS_SHAPE', message)
  }
  return tensor
}

function checkHead(from: Checkpoint, folder: string, embedding: StoredTensor): void {
  if (!from.has('lm_head.weight')) return
  const head = from.tensor('lm_head.weight')
  const same = head.dtype === embedding.dtype && Buffer.compare(head.bytes(), embedding.bytes()) === 0
  if (same) return
  const message = `The model in "${folder}" has an output head of its own, although its config.json ties it to the token embedding. Say tie_word_embeddings: false there, or take lm_head.weight out.`
  throw new Failure('WEIGHTS_UNTIED', message)
}

/** Of a matrix, in tiles, whose rows and columns both stay in the processor's cache. */
export function transposed({ shape, data }: TensorValue): TensorValue {
  const [rows, columns] = shape as readonly [number, number]
  const result = new Float32Array(data.length)
  const tile = 32
  for (let top = 0; top < rows; top += tile) {
    for (let left = 0; left < columns; left += tile) {
      const [bottom, right] = [Math.min(top + tile, rows), Math.min(left + tile, columns)]
      for (let r = top; r < bottom; r++) {
        for (let c = left; c < right; c++) result[c * rows + r] = data[r * columns + c]!
      }
    }
  }
  return { shape: [columns, rows], data: result }
}
