import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import { input } from '../../lib/graph/index.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { gpt } from '../../lib/model/gpt.ts'
import { openLayerwise } from '../../lib/model/layerwise.ts'
import { initialise, weightState } from '../../lib/model/weights.ts'
import { assertClose, engine, evaluate, ids, tiny, tinyNeo } from './rig.ts'

const B = 2
const T = 10
const shape = { vocabSize: 30, layers: 4 }
const global = 'global' as const
const models = {
  gpt2: tiny({ ...shape, attention: [global, global, global, global] }),
  gpt_neo: tinyNeo({ ...shape, attention: [global, 'local', global, 'local'] }),
}
const quiet = { signal: new AbortController().signal, onBatch: (): void => undefined }
const batches = [3, 5, 7].map((by) => ({
  shape: [B, T],
  data: Int32Array.from({ length: B * T }, (_, i) => (i * by) % 30),
}))

/** Two documents a row. */
const halves = ids(
  [B, T],
  Array.from({ length: B * T }, (_, at) => Math.floor((2 * at) / T)),
)

describe('a model run layer by layer', () => {
  // ONNX Runtime fuses a sum with the norm behind it, unless they are in two programs
  for (const [name, tolerance] of [
    ['onnx-cpu', 1e-6],
    ['tfjs-cpu', 0],
  ] as const) {
    for (const [architecture, config] of Object.entries(models)) {
      it(`gives the hidden states of the whole: ${architecture} on ${name}`, async (t) => {
        const engine = await openEngine({ name, threads: 1 })
        const weights = initialise(config, 3, { deviation: 0.2 })
        const tokens = input('tokens', [B, T], 'int32')
        const documents = input('documents', [B, T], 'int32')
        for (const [attend, own, batch] of [
          ['row', batches.map((one) => ({ tokens: one })), { tokens }],
          ['document', batches.map((one) => ({ tokens: one, documents: halves })), { tokens, documents }],
        ] as const) {
          const shape = { rows: B, length: T, attend } as const
          const layerwise = await openLayerwise(engine, stored(config, weights), shape)
          const found = await layerwise.run(own, quiet)
          await layerwise.dispose()
          const hidden = gpt(config, weightState(config), batch)
          for (const [i, feeds] of own.entries()) {
            const whole = (await evaluate({ hidden }, { ...feeds }, weights, engine))['hidden']!
            assertClose(t, `${attend}, batch ${i}`, found[i]!.data, whole.data, tolerance)
          }
        }
        await engine.dispose()
      })
    }
  }

  it('reads each weight once for all batches, and no later layer before the earlier ones are through', async () => {
    const config = models.gpt_neo
    const weights = initialise(config, 3)
    const seen: string[] = []
    const layerwise = await openLayerwise(
      engine,
      stored(config, weights, (name) => seen.push(name.split('.').slice(0, 3).join('.'))),
      { rows: B, length: T },
    )
    await layerwise.run(
      batches.map((tokens) => ({ tokens })),
      { ...quiet, onBatch: (done, total) => seen.push(`${done} of ${total}`) },
    )
    const parts = [
      'transformer.wte.weight',
      ...[0, 1, 2, 3].map((layer) => `transformer.h.${layer}`),
      'transformer.ln_f.weight',
    ]
    // [the first weight of each part, …]
    assert.deepEqual(
      seen
        .filter((entry, i) => entry !== seen[i - 1])
        .filter((entry) => parts.includes(entry) || entry.includes(' of ')),
      parts.flatMap((part, i) => [part, ...[1, 2, 3].map((k) => `${3 * i + k} of 18`)]),
    )
    await layerwise.dispose()
  })
})

const stored = (
  config: GptConfig,
  weights: ReturnType<typeof initialise>,
  onRead: (name: string) => void = () => undefined,
) => ({
  config,
  digest: 'model',
  weight: (name: string) => {
    onRead(name)
    return weights.get(name)!
  },
})
