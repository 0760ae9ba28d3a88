import type { GptConfig } from '../../lib/model/config.ts'
import type { initialise } from '../../lib/model/weights.ts'
import { asStored, ids, tiny, tinyNeo } from './rig.ts'

// What the passes of a model are tried with: batches of B rows of T tokens.

export const B = 2
export const T = 10
const shape = { vocabSize: 30, layers: 4 }
const global = 'global' as const
export const models = {
  gpt2: tiny({ ...shape, attention: [global, global, global, global] }),
  gpt_neo: tinyNeo({ ...shape, attention: [global, 'local', global, 'local'] }),
}
export const quiet = { signal: new AbortController().signal, onBatch: (): void => undefined }
export const batches = [3, 5, 7].map((by) => ({
  shape: [B, T],
  data: Int32Array.from({ length: B * T }, (_, i) => (i * by) % 30),
}))

/** Two documents a row. */
export const halves = ids(
  [B, T],
  Array.from({ length: B * T }, (_, at) => Math.floor((2 * at) / T)),
)

/** As if it lay in a file. */
export const stored = (
  config: GptConfig,
  weights: ReturnType<typeof initialise>,
  onRead: (name: string) => void = () => undefined,
) =>
  asStored({
    config,
    digest: 'model',
    weight: (name) => {
      onRead(name)
      return weights.get(name)!
    },
  })
