import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { TensorValue } from '../../lib/engine/index.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { logitsOf } from '../../lib/model/logits.ts'
import { initialise, loadModel, saveModel } from '../../lib/model/weights.ts'
import { engine, tiny, tinyNeo } from './rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'untied-'))
after(() => rmSync(folder, { recursive: true }))

for (const shape of [tiny({ tied: false }), tinyNeo({ tied: false })]) {
  describe(`a ${shape.architecture} with an output head of its own`, () => {
    const { vocabSize: V, width: C } = shape
    const weights = initialise(shape, 4, { deviation: 0.3 })
    const ids = [3, 0, 7, 7, 1]
    const logits = async (config = shape, of: ReadonlyMap<string, TensorValue> = weights): Promise<Float32Array[]> => {
      const model = hold(engine, { config, weights: of })
      try {
        return await logitsOf(model, ids)
      } finally {
        model.memory.dispose()
      }
    }

    it('says with it what the tied model says whose embedding it is, in the order of its rows', async () => {
      const embedding = weights.get('transformer.wte.weight')!.data as Float32Array
      const turned = new Float32Array(V * C)
      for (let row = 0; row < V; row++) turned.set(embedding.subarray(row * C, (row + 1) * C), ((row + 5) % V) * C)
      const tiedRows = await logits({ ...shape, tied: true })
      const ownRows = await logits(shape, new Map([...weights, ['lm_head.weight', { shape: [V, C], data: turned }]]))
      for (const [t, row] of tiedRows.entries())
        assert.deepEqual(
          Array.from(row, (_, id) => ownRows[t]![(id + 5) % V]!),
          Array.from(row),
        )
    })

    it('comes back from its file, whose config.json says so', async () => {
      saveModel(join(folder, shape.architecture), { config: shape, weights }, { eos: 0 })
      const again = await loadModel(join(folder, shape.architecture))
      assert.deepEqual(again.config, shape)
      assert.deepEqual(again.weights, weights)
      const json = JSON.parse(readFileSync(join(folder, shape.architecture, 'config.json'), 'utf8')) as object
      assert.equal('tie_word_embeddings' in json && json.tie_word_embeddings, false)
    })
  })
}
