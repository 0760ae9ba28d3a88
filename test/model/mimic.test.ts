import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GptConfig } from '../../lib/model/config.ts'
import { initialise } from '../../lib/model/weights.ts'

const neo: GptConfig = {
  architecture: 'gpt_neo',
  vocabSize: 50,
  context: 16,
  width: 32,
  layers: 2,
  heads: 2,
  inner: 64,
  attention: ['local', 'global'],
  window: 4,
  epsilon: 1e-5,
  tied: true,
}
const gpt2: GptConfig = { ...neo, architecture: 'gpt2', attention: ['global', 'global'] }

describe('a mimetic start', () => {
  for (const config of [neo, gpt2]) {
    const C = config.width
    const weights = initialise(config, 3, { deviation: 0.08, start: 'mimetic' })
    const fused = config.architecture === 'gpt2'

    /** Entry (row, column) of a projection of a layer, whichever tensor holds it. */
    const entry = (layer: number, which: 'q' | 'k' | 'v' | 'out', row: number, column: number): number => {
      const at = `transformer.h.${layer}.attn.`
      const third = ['q', 'k', 'v'].indexOf(which)
      const [name, columns, first] = !fused
        ? [`attention.${which}_proj`, C, 0]
        : which === 'out'
          ? ['c_proj', C, 0]
          : ['c_attn', 3 * C, third * C]
      return weights.get(`${at}${name}.weight`)!.data[row * columns + first + column]!
    }
    const cells = Array.from({ length: C * C }, (_, i) => [Math.floor(i / C), i % C] as const)

    it(`${config.architecture}: keys are queries, and the output projection hands the values back`, () => {
      for (let layer = 0; layer < config.layers; layer++) {
        for (const [i, j] of cells) {
          assert.equal(entry(layer, 'k', i, j), entry(layer, 'q', i, j))
          assert.equal(entry(layer, 'out', j, i), entry(layer, 'v', i, j))
        }
      }
    })

    it(`${config.architecture}: a word's score with itself is as documented, in local layers almost none`, () => {
      for (let layer = 0; layer < config.layers; layer++) {
        const squares = cells.reduce((sum, [i, j]) => sum + entry(layer, 'q', i, j) ** 2, 0)
        const score = squares / config.heads / (fused ? Math.sqrt(C / config.heads) : 1)
        const expected = config.attention[layer] === 'local' ? 0.1 : 1.6
        assert.ok(Math.abs(score - expected) < 1e-3, `layer ${layer}: ${score}, not ${expected}`)
      }
    })

    it(`${config.architecture}: positions are waves, and all else is as it was drawn`, () => {
      const drawn = initialise(config, 3, { deviation: 0.08 })
      const changed = [...weights.keys()].filter(
        (name) => weights.get(name)!.data.join() !== drawn.get(name)!.data.join(),
      )
      assert.ok(
        changed.every((name) => /\.wpe\.|\.attn\..*weight$/.test(name)),
        changed.join(),
      )
      const positions = weights.get('transformer.wpe.weight')!.data
      assert.deepEqual([...positions.slice(0, 4)], [0, 0.02, 0, 0.02].map(Math.fround))
      assert.equal(positions[5 * C], Math.fround(0.02 * Math.sin(5)))
    })
  }
})
