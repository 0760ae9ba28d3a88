import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import { input } from '../../lib/graph/index.ts'
import { gpt } from '../../lib/model/gpt.ts'
import { openLayerwise } from '../../lib/model/layerwise.ts'
import { collect } from '../../lib/util/collect.ts'
import { initialise, weightState } from '../../lib/model/weights.ts'
import { B, T, batches, halves, models, quiet, stored } from './passes.ts'
import { assertClose, engine, evaluate } from './rig.ts'

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
          const found = await collect(layerwise.run(own, quiet))
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
    const hooks = { ...quiet, onBatch: (done: number, total: number) => void seen.push(`${done} of ${total}`) }
    await collect(layerwise.run(batches.map((tokens) => ({ tokens })), hooks)) // prettier-ignore
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
