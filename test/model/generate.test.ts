import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { draw, generate } from '../../lib/model/generate.ts'
import type { GenerateOptions } from '../../lib/model/generate.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { loadModel } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { Plain, quiet } from './plain.ts'
import { engine, fixtures } from './rig.ts'

const prompts = [[3, 14, 15], [9], [2, 6, 5, 3, 5, 8]]
/** The end-of-text token is one that is never drawn unless a test says so. */
const greedy: GenerateOptions = { tokens: 8, temperature: 0, topK: 0, seed: 1, eos: -1, vocabSize: 61 }

for (const name of ['gpt2', 'gpt-neo']) {
  describe(`continuations by the ${name} of the reference`, async () => {
    const model = hold(engine, await loadModel(join(fixtures, name)))
    const { context } = model.config
    const text = Array.from({ length: context }, (_, n) => (5 * n + n * n) % 61)
    const run = (options: Partial<GenerateOptions>, of = prompts) =>
      generate(model, of, { ...greedy, ...options }, quiet)

    for (const temperature of [0, 1]) {
      it(`are at temperature ${temperature} what passes over the whole rows give, token by token`, async () => {
        const plain = new Plain(model)
        for (const lengths of [[3, 1, 6], [1], [context - 1], [context - 9]]) {
          const tokens = context - Math.max(...lengths)
          const of = lengths.map((length, n) => text.slice(n, n + length))
          const expected = []
          for (const [n, prompt] of of.entries()) {
            const [row, random] = [[...prompt], new Random(1, `continuation ${n}`)]
            while (row.length < prompt.length + tokens) {
              const logits = (await plain.logits(row)).at(-1)!
              row.push(draw(logits, { temperature, topK: 0 }, random))
            }
            expected.push(row.slice(prompt.length))
          }
          assert.deepEqual(await run({ temperature, tokens }, of), expected)
        }
      })
    }

    it('say each token as it is drawn', async () => {
      const said: number[] = []
      const all = await generate(model, prompts, greedy, { ...quiet, onToken: (token) => said.push(token) })
      assert.deepEqual(said, all.flat())
    })

    it('are refused where a logit is no number', async () => {
      const damaged = await loadModel(join(fixtures, name))
      damaged.weights.get('transformer.ln_f.weight')!.data[3] = Number.NaN
      await assert.rejects(generate(hold(engine, damaged), prompts, greedy, quiet), { code: 'SCORE_NOT_FINITE' })
    })

    it('end when they are asked to', async () => {
      const stop = new AbortController()
      const said: number[] = []
      const onToken = (token: number): void => {
        if (said.push(token) === 3) stop.abort()
      }
      await assert.rejects(generate(model, prompts, greedy, { signal: stop.signal, onToken }), { name: 'AbortError' })
      assert.equal(said.length, 3)
    })

    it('are the same with the same seed, others with another', async () => {
      const drawn = await run({ temperature: 1 })
      assert.deepEqual(await run({ temperature: 1 }), drawn)
      assert.notDeepEqual(await run({ temperature: 1, seed: 2 }), drawn)
      const twins = await run({ temperature: 1 }, [prompts[0]!, prompts[0]!])
      assert.deepEqual(twins[0], drawn[0])
      assert.notDeepEqual(twins[1], twins[0])
    })

    it('with the likeliest token alone to draw from are those of temperature 0', async () => {
      assert.deepEqual(await run({ temperature: 5, topK: 1 }), await run({}))
    })

    it('stop before the end-of-text token, each for itself', async () => {
      const whole = await run({})
      const eos = whole[0]![2]!
      const expected = whole.map((tokens) => (tokens.includes(eos) ? tokens.slice(0, tokens.indexOf(eos)) : tokens))
      assert.deepEqual(await run({ eos }), expected)
      assert.ok(expected[0]!.length < 8)
      assert.deepEqual(await run({ eos: whole[0]![0]! }, [prompts[0]!]), [[]])
    })

    it('never hold a row of the embedding that is no token', async () => {
      const ids = (await run({ temperature: 3, vocabSize: 7 })).flat()
      assert.ok(Math.max(...ids) < 7)
    })

    it('fit the position table, whole, or are refused', async () => {
      assert.equal((await run({ tokens: 10 }))[2]!.length, 10)
      await assert.rejects(run({ tokens: 11 }), {
        code: 'PROMPT_TOO_LONG',
        message: /^Prompt 3 of 6 tokens and 11 new/,
      })
      await assert.rejects(run({}, [[1], []]), { code: 'PROMPT_EMPTY' })
      assert.deepEqual(await run({}, []), [])
    })
  })
}

describe('draw', () => {
  const logits = Float32Array.of(0, 2, 1, -1e9, 2.5)
  const shares = (options: { temperature: number; topK: number; topP?: number }): number[] => {
    const random = new Random(1, 'draw')
    const counts = [0, 0, 0, 0, 0]
    for (let n = 0; n < 20_000; n++) counts[draw(logits, options, random)]! += 1 / 20_000
    return counts
  }

  it('follows softmax(logits / temperature)', () => {
    assertShares(shares({ temperature: 1, topK: 0 }), softmax([0, 2, 1, -1e9, 2.5]))
    assertShares(shares({ temperature: 2, topK: 0 }), softmax([0, 1, 0.5, -5e8, 1.25]))
  })

  it('of the k likeliest gives these the whole probability', () => {
    const found = shares({ temperature: 1, topK: 2 })
    assertShares(found, softmax([-1e9, 2, -1e9, -1e9, 2.5]))
    assert.deepEqual([found[0], found[2], found[3]], [0, 0, 0])
  })

  it('of the fewest that make up a share gives these the whole probability', () => {
    const found = shares({ temperature: 1, topK: 0, topP: 0.8 }) // 0.52 + 0.32
    assertShares(found, softmax([-1e9, 2, -1e9, -1e9, 2.5]))
    assert.deepEqual([found[0], found[2], found[3]], [0, 0, 0])
    assert.deepEqual(shares({ temperature: 1, topK: 0, topP: 0.5 }).map(Math.round), [0, 0, 0, 0, 1])
    // of the three likeliest the first makes up 0.55, so 0.5 takes it alone, and 0.6 two of them
    const both = shares({ temperature: 1, topK: 3, topP: 0.6 })
    assert.deepEqual([both[0], both[2], both[3]], [0, 0, 0])
  })

  it('takes the first of equal ones, and is at ease with a temperature close to 0', () => {
    assert.equal(draw([1, 3, 3], { temperature: 0, topK: 0 }, new Random(1)), 1)
    assert.equal(draw([1, 3, 3], { temperature: 1, topK: 1 }, new Random(1)), 1)
    assert.equal(draw([1000, -1000, 1001], { temperature: 1e-6, topK: 0 }, new Random(1)), 2)
  })
})

function softmax(logits: readonly number[]): number[] {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
  return logits.map((logit) => Math.exp(logit) / total)
}

/** Four standard errors of 20,000 draws. */
function assertShares(found: readonly number[], expected: readonly number[]): void {
  found.forEach((share, id) => {
    const allowed = 4 * Math.sqrt((expected[id]! * (1 - expected[id]!)) / 20_000)
    assert.ok(Math.abs(share - expected[id]!) <= allowed, `${id}: expected ${expected[id]}, found ${share}`)
  })
}
