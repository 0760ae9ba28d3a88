import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSafetensors } from '../lib/data/safetensors-write.ts'
import { writeConfig } from '../lib/model/config.ts'
import type { GptConfig } from '../lib/model/config.ts'
import { isOutIn, weightShapes } from '../lib/model/weights.ts'
import { Random } from '../lib/util/random.ts'

/**
 * Writes a model folder of random weights as transformers reads it, a shard a layer: only one layer is in memory. All
 * tensors begin with the same numbers, drawn as GPT-2's were, which come again and again: no measurement sees it.
 */
export function writeRandomModel(folder: string, config: GptConfig, dtype: 'F32' | 'F16'): void {
  mkdirSync(folder, { recursive: true })
  const shards = shardsOf(config)
  const nameOf = (i: number): string => `model-${pad(i + 1)}-of-${pad(shards.length)}.safetensors`
  const draws = drawPool(Math.max(...[...weightShapes(config).values()].map(sizeOf)))
  for (const [i, shard] of shards.entries()) {
    const tensors = new Map(shard.map(([name, shape]) => [name, { shape, data: fill(name, shape, draws) }]))
    writeSafetensors(join(folder, nameOf(i)), tensors, { dtype })
  }
  const weight_map = Object.fromEntries(shards.flatMap((shard, i) => shard.map(([name]) => [name, nameOf(i)])))
  writeJson(join(folder, 'model.safetensors.index.json'), { metadata: {}, weight_map })
  writeJson(join(folder, 'config.json'), writeConfig(config, config.vocabSize - 1))
}

type Named = readonly [name: string, shape: readonly number[]]

/** By layer, and one of what is outside; shapes as they are stored. */
function shardsOf(config: GptConfig): readonly (readonly Named[])[] {
  const shards = new Map<string, Named[]>()
  for (const [name, shape] of weightShapes(config)) {
    const shard = /\.h\.(\d+)\./.exec(name)?.[1] ?? 'outside'
    const stored = isOutIn(config, name) ? [...shape].reverse() : shape
    shards.set(shard, [...(shards.get(shard) ?? []), [name, stored]])
  }
  return [...shards.values()]
}

/** A prime: what comes again stands in another column. */
const drawn = 1_000_003

function drawPool(size: number): Float32Array {
  const random = new Random(1)
  const pool = new Float32Array(size)
  for (let i = 0; i < size; i++) pool[i] = i < drawn ? 0.02 * random.normal() : pool[i - drawn]!
  return pool
}

function fill(name: string, shape: readonly number[], draws: Float32Array): Float32Array {
  const data = draws.slice(0, sizeOf(shape))
  if (/\.ln_\w+\.weight$/.test(name)) for (let i = 0; i < data.length; i++) data[i]! += 1
  return data
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, one) => product * one, 1)
const pad = (n: number): string => String(n).padStart(5, '0')
const writeJson = (file: string, json: object): void => writeFileSync(file, `${JSON.stringify(json, null, 2)}\n`)
