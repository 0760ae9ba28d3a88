import type { Engine, Program, TensorValue } from '../engine/engine.ts'
import { graph, input, state } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { Attention, GptConfig } from './config.ts'
import { block, embed, finalNorm, maskOf } from './gpt.ts'
import type { Weights } from './gpt.ts'
import { batchOf } from './hidden-pass.ts'
import type { HiddenPass, PassShape } from './hidden-pass.ts'
import { weightShapes } from './weights.ts'
import type { StoredModel } from './weights.ts'

// B rows of a batch · T tokens in a row · C width

/** The graph of a part of the model, and its weights: their names there to those in the checkpoint. */
interface Part {
  readonly program: Program
  readonly weights: ReadonlyMap<string, string>
  readonly isLayer: boolean
}

/**
 * A model run layer by layer: all batches go through one layer before the next is read, so that the weights of one layer
 * alone are in memory, however large the model.
 */
export async function openLayerwise(engine: Engine, model: StoredModel, shape: PassShape): Promise<HiddenPass> {
  const { config } = model
  const parts = await compileParts(engine, config, shape)
  const programs = [...new Set(parts.map(({ program }) => program))]
  return {
    rows: shape.rows,
    run: async function* (batches, { signal, onBatch }) {
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
      yield* states
    },
    dispose: async () => {
      await Promise.all(programs.map((program) => program.dispose()))
    },
  }
}

/** The embedding, the layers, of which those of a kind share their program, and the last norm. */
async function compileParts(engine: Engine, config: GptConfig, shape: PassShape): Promise<readonly Part[]> {
  const shapes = weightShapes(config)
  const batch = batchOf(shape)
  const x = input('x', [shape.rows, shape.length, config.width])
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
