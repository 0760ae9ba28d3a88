import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { Reader } from '../../lib/model/reader.ts'
import { initialise } from '../../lib/model/weights.ts'
import { Plain } from './plain.ts'
import { assertClose, tiny, tinyNeo } from './rig.ts'

const context = 90
const text = Array.from({ length: context }, (_, n) => (7 * n + n * n + (n >> 3)) % 13)
const configs: Readonly<Record<string, GptConfig>> = {
  'GPT-2': tiny({ context, window: context }),
  'GPT-Neo with a window of 5': tinyNeo({ context, window: 5, layers: 3, attention: ['local', 'global', 'local'] }),
  'GPT-Neo with a window of 70, which chunks end within': tinyNeo({ context, window: 70 }),
}
/** How a text comes: so many tokens at once. */
const cuts: Readonly<Record<string, readonly number[]>> = {
  'one by one': text.map(() => 1),
  whole: [context],
  'all but the last, then that': [context - 1, 1],
  'the first, then the rest': [1, context - 1],
  'in parts of all sizes': [3, 17, 1, 2, 67],
}

for (const name of ['onnx-cpu', 'tfjs-cpu']) {
  describe(`a reader on ${name}`, async () => {
    const engine = await openEngine({ name, threads: 1 })
    after(() => engine.dispose())

    for (const [kind, config] of Object.entries(configs)) {
      it(`of ${kind} says what a pass over the whole row says, however the text comes`, async (t) => {
        const model = hold(engine, { config, weights: initialise(config, 1, { deviation: 0.3 }) })
        const expected = await new Plain(model).logits(text)
        const reader = new Reader(model, context)
        for (const [how, lengths] of Object.entries(cuts)) {
          reader.restart()
          const found: number[] = []
          const wanted: number[] = []
          let start = 0
          for (const length of lengths) {
            found.push(...(await reader.read(text.slice(start, (start += length)))))
            wanted.push(...expected[start - 1]!)
          }
          assertClose(t, how, found, wanted, 3e-6)
        }
        await reader.dispose()
      })
    }
  })
}

describe('a reader', async () => {
  const engine = await openEngine({ name: 'onnx-cpu', threads: 1 })
  after(() => engine.dispose())
  const config = configs['GPT-2']!
  const held = () => hold(engine, { config, weights: initialise(config, 1, { deviation: 0.3 }) })

  it('sees nothing of what it read before it began anew, to the last bit', async () => {
    const [used, fresh] = [new Reader(held(), 40), new Reader(held(), 40)]
    await used.read(text.slice(30, 70))
    used.restart()
    for (const part of [text.slice(0, 5), text.slice(5, 6), text.slice(6, 40)]) {
      assert.deepEqual(await used.read(part), await fresh.read(part))
    }
  })

  it('leaves the weights alone in the memory', async () => {
    const model = held()
    const reader = new Reader(model, 4)
    assert.ok(model.memory.has('past.1.values'))
    await reader.dispose()
    assert.ok(!model.memory.has('past.1.values'))
  })

  it('takes no more tokens than it has places, and one at least', async () => {
    const reader = new Reader(held(), 4)
    await reader.read([1, 2, 3])
    await assert.rejects(reader.read([1, 2]), /Internal error: 2 tokens after 3, with 4 places/)
    await assert.rejects(reader.read([]), /Internal error: 0 tokens/)
  })
})
