import type { Program, TensorValue } from '../engine/engine.ts'
import { dynamicUpdateSlice, graph, input, matmul, reshape, sizeOf, slice, state } from '../graph/index.ts'
import type { Graph } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import { gptAfter, headOf } from './gpt.ts'
import type { Running } from './likelihood.ts'
import { weightState } from './weights.ts'

// T tokens read at once · P places for tokens · H heads · D width of a head · C width · V vocabulary

/** So many tokens are read at once, the most of these that are left: each size needs a graph, and four serve any text. */
const sizes = [64, 16, 4, 1] as const

/**
 * Reads a text from its beginning, each token once: keys and values of those read stay in the model's memory. A model has
 * one reader at a time; who makes it disposes of it.
 */
export class Reader {
  readonly #model: Running
  readonly #places: number
  readonly #programs = new Map<number, Program>()
  #length = 0

  /** `places` is the most tokens that it will have read. */
  constructor(model: Running, places: number) {
    this.#model = model
    this.#places = places
    const shape = placesShape(model.config, places)
    for (const name of keptNames(model.config)) {
      model.memory.write(name, { shape, data: new Float32Array(sizeOf(shape)) })
    }
  }

  /** Logits (V) of what follows the last of these tokens, one at least, after all that were read before. */
  async read(tokens: readonly number[]): Promise<TensorValue['data']> {
    if (tokens.length === 0 || this.#length + tokens.length > this.#places) {
      throw new Error(`Internal error: ${tokens.length} tokens after ${this.#length}, with ${this.#places} places`)
    }
    const size = sizes.find((one) => one <= tokens.length)!
    const logits = await this.#readChunk(tokens.slice(0, size))
    return tokens.length === size ? logits : this.read(tokens.slice(size))
  }

  /** Begins another text: what was kept of the last is written over, and not seen until then. */
  restart(): void {
    this.#length = 0
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await program.dispose()
    for (const name of keptNames(this.#model.config)) this.#model.memory.delete(name)
  }

  async #readChunk(tokens: readonly number[]): Promise<TensorValue['data']> {
    const { engine, memory, config } = this.#model
    const T = tokens.length
    const program = this.#programs.get(T) ?? (await engine.compile(chunkGraph(config, T, this.#places)))
    this.#programs.set(T, program)
    const feeds = {
      tokens: { shape: [1, T], data: Int32Array.from(tokens) },
      length: { shape: [], data: Int32Array.of(this.#length) },
    }
    const { logits } = await program.run(feeds, memory)
    this.#length += T
    return logits!.data
  }
}

const placesShape = ({ heads: H, width: C }: GptConfig, P: number): readonly number[] => [1, H, P, C / H]
const keysName = (layer: number): string => `past.${layer}.keys`
const valuesName = (layer: number): string => `past.${layer}.values`
const keptNames = ({ layers }: GptConfig): string[] =>
  Array.from({ length: layers }, (_, layer) => [keysName(layer), valuesName(layer)]).flat()

/** Feeds: tokens (1, T), length () of the tokens before. Output: logits (1, V). The state keeps the tokens' own. */
function chunkGraph(config: GptConfig, T: number, P: number): Graph {
  const weight = weightState(config)
  const length = input('length', [], 'int32')
  const place = (name: string) => state(name, placesShape(config, P)) // (1, H, P, D)
  const layers = config.attention.map((_, layer) => ({
    keys: place(keysName(layer)),
    values: place(valuesName(layer)),
  }))
  const { hidden, kept } = gptAfter(config, weight, input('tokens', [1, T], 'int32'), { layers, length })
  const last = reshape(slice(hidden, [0, T - 1, 0], [-1, 1, -1]), [1, config.width]) // (1, C)
  const updates = kept.flatMap(({ keys, values }, layer) => [
    [keysName(layer), dynamicUpdateSlice(layers[layer]!.keys, keys, length, 2)] as const,
    [valuesName(layer), dynamicUpdateSlice(layers[layer]!.values, values, length, 2)] as const,
  ])
  return graph({
    outputs: { logits: matmul(last, headOf(config, weight), { transposeB: true }) },
    updates: Object.fromEntries(updates),
  })
}
