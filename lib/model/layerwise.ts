import type { Attend } from '../data/windows.ts'
import type { Engine, Program, TensorValue } from '../engine/engine.ts'
import { graph, input, state } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { Attention, GptConfig } from './config.ts'
import { block, embed, finalNorm, maskOf } from './gpt.ts'
import type { Batch, Weights } from './gpt.ts'
import { weightShapes } from './weights.ts'
import type { StoredModel } from './weights.ts'

// B rows of a batch · T tokens in a row · C width

export interface LayerwiseShape {
  readonly rows: number
  readonly length: number
  /** What a token sees; the row where not given. */
  readonly attend?: Attend
}

export interface LayerwiseHooks {
  readonly signal: AbortSignal
  /** Batches that went through a layer, of as many as go through all. */
  readonly onBatch: (done: number, total: number) => void
}

export interface LayerwiseBatch {
  readonly tokens: TensorValue
  readonly documents?: TensorValue
}

/**
 * A model run layer by layer: all batches go through one layer before the next is read, so that the weights of one layer
 * alone are in memory, however large the model. Who opens it disposes of it.
 */
export interface Layerwise {
  /**
   * Tokens (B, T) of each batch, and their documents where nothing else is seen, to its hidden states (B, T, C), after
   * the last norm. Throws Failure of `weight`.
   */
  run(batches: readonly LayerwiseBatch[], hooks: LayerwiseHooks): Promise<readonly TensorValue[]>
  dispose(): Promise<void>
}

/** The graph of a part of the model, and its weights: their names there to those in the checkpoint. */
interface Part {
  readonly program: Program
  readonly weights: ReadonlyMap<string, string>
  readonly isLayer: boolean
}

export async function openLayerwise(engine: Engine, model: StoredModel, shape: LayerwiseShape): Promise<Layerwise> {
  const { config } = model
  const parts = await compileParts(engine, config, shape)
  const programs = [...new Set(parts.map(({ program }) => program))]
  return {
    run: async (batches, { signal, onBatch }) => {
      const states: TensorValue[] = []
      let done = 0
      for (const { program, weights, isLayer } of parts) {
        const memory = engine.memory()
        for (const [inner, outer] of weights) memory.write(inner, model.weight(outer))
        for (const [i, { tokens, ...seen }] of batches.entries()) {
          signal.throwIfAborted()
          const before = states[i]
          const { x } = await program.run(before ? { x: before, ...(isLayer ? seen : {}) } : { tokens }, memory)
          states[i] = x!
          onBatch(++done, parts.length * batches.length)
          await new Promise(setImmediate)
        }
        memory.dispose()
      }
      return states
    },
    dispose: async () => {
      await Promise.all(programs.map((program) => program.dispose()))
    },
  }
}

/** The embedding, the layers, of which those of a kind share their program, and the last norm. */
async function compileParts(
  engine: Engine,
  config: GptConfig,
  { rows, length, attend }: LayerwiseShape,
): Promise<readonly Part[]> {
  const shapes = weightShapes(config)
  const tokens = input('tokens', [rows, length], 'int32')
  const batch: Batch =
    attend === 'document' ? { tokens, documents: input('documents', [rows, length], 'int32') } : { tokens }
  const x = input('x', [rows, length, config.width])
  const compile = (weights: Part['weights'], build: (weight: Weights) => Tensor): Promise<Program> => {
    const leaves = new Map([...weights].map(([inner, outer]) => [inner, state(inner, shapes.get(outer)!)]))
    return engine.compile(graph({ outputs: { x: build((name) => leaves.get(name)!) } }))
  }
  const [embedding, last] = [named(shapes, 'transformer.w'), named(shapes, 'transformer.ln_f.')]
  const parts: Part[] = [
    { program: await compile(embedding, (weight) => embed(weight, batch)), weights: embedding, isLayer: false },
  ]
  const programs = new Map<Attention, Program>()
  for (const [layer, kind] of config.attention.entries()) {
    const prefix = `transformer.h.${layer}.`
    const weights = new Map([...named(shapes, prefix).keys()].map((name) => [name.slice(prefix.length), name]))
    const program =
      programs.get(kind) ??
      (await compile(weights, (weight) => block(config, weight, x, maskOf(config, kind, batch)).x))
    programs.set(kind, program)
    parts.push({ program, weights, isLayer: true })
  }
  const norm = await compile(last, (weight) => finalNorm(config, weight, x))
  return [...parts, { program: norm, weights: last, isLayer: false }]
}

const named = (shapes: ReadonlyMap<string, unknown>, prefix: string): Map<string, string> =>
  new Map([...shapes.keys()].filter((name) => name.startsWith(prefix)).map((name) => [name, name]))
