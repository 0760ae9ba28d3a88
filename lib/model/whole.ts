import type { Engine, Feed, Memory, Program } from '../engine/engine.ts'
import { graph } from '../graph/index.ts'
import { gpt } from './gpt.ts'
import { batchOf } from './hidden-pass.ts'
import type { HiddenPass, PassBatch, PassHooks, PassShape } from './hidden-pass.ts'
import { openLayerwise } from './layerwise.ts'
import { parameterCount, storedState } from './weights.ts'
import type { StoredModel } from './weights.ts'

/** Of a weight: float32, and a copy of half of that. */
const bytesPerWeight = 6
/** Fewer leave parts of a large card idle. */
const tokensAtOnce = 8192
/** What these tokens take on their way. */
const bytesOnTheWay = 2 ** 32

/**
 * A model as a whole where the engine has a memory of its own with the room for it, layer by layer elsewhere: weights
 * that stay there are read once, and between layers nothing comes back to the host.
 */
export const openPass = (engine: Engine, model: StoredModel, shape: PassShape): Promise<HiddenPass> => {
  const need = bytesPerWeight * parameterCount(model.config) + bytesOnTheWay
  return (engine.room?.() ?? 0) >= need ? openWhole(engine, model, shape) : openLayerwise(engine, model, shape)
}

export async function openWhole(engine: Engine, model: StoredModel, shape: PassShape): Promise<HiddenPass> {
  const rows = shape.rows * Math.max(1, Math.floor(tokensAtOnce / (shape.rows * shape.length)))
  const x = gpt(model.config, storedState(model.config), batchOf({ ...shape, rows }))
  const whole = graph({ outputs: { x } })
  const program: Program<Feed> =
    shape.halves && engine.compileToHalves ? await engine.compileToHalves(whole) : await engine.compile(whole)
  const memory = engine.memory()
  for (const name of whole.state.keys()) memory.write(name, model.stored(name))
  return {
    rows,
    run: (batches, hooks) => inTurn(program, memory, batches, hooks),
    dispose: async () => {
      await program.dispose()
      memory.dispose()
    },
  }
}

/** While a batch is taken, the next one is computed. */
async function* inTurn(
  program: Program<Feed>,
  memory: Memory,
  batches: readonly PassBatch[],
  { signal, onBatch }: PassHooks,
): ReturnType<HiddenPass['run']> {
  const begin = (i: number): ReturnType<typeof program.run> | undefined =>
    batches[i] && program.run({ ...batches[i] }, memory)
  let next = begin(0)
  try {
    for (let i = 0; next; i++) {
      const { x } = await next
      signal.throwIfAborted()
      next = begin(i + 1)
      onBatch(i + 1, batches.length)
      yield x!
    }
  } finally {
    await next?.catch(() => undefined) // who takes them has ended first
  }
}
