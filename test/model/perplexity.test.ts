import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Split } from '../../lib/data/tokens.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { perplexity } from '../../lib/model/perplexity.ts'
import type { PerplexityOptions } from '../../lib/model/perplexity.ts'
import { initialise, loadModel } from '../../lib/model/weights.ts'
import { Plain, quiet } from './plain.ts'
import { engine, fixtures, splitOf, stream, tiny } from './rig.ts'

/** Where the documents of a stream of 90 begin; the first has one token, which nothing precedes. */
const starts = [0, 1, 2, 5, 9, 12, 13, 20, 27, 31, 36, 40, 44, 45, 50, 55, 60, 61, 66, 70, 75, 80, 85, 89]

for (const name of ['gpt2', 'gpt-neo']) {
  describe(`perplexity by the ${name} of the reference`, async () => {
    const model = hold(engine, await loadModel(join(fixtures, name)))
    const reference = JSON.parse(readFileSync(join(fixtures, name, 'scores.json'), 'utf8')) as {
      stream: number[]
      nll: Record<string, number>
    }
    const split = splitOf(Uint16Array.from(reference.stream), starts)
    const score = (options: Partial<PerplexityOptions>, of: Split = split) =>
      perplexity(model, of, { context: 16, stride: 16, batch: 4, tokens: 0, ...options }, quiet)

    it('sums up to what transformers gives, overlapping rows or not', async () => {
      for (const [packing, expected] of Object.entries(reference.nll)) {
        const [context, stride] = packing.split('/').map(Number) as [number, number]
        const { nll, tokens, value } = await score({ context, stride })
        assert.equal(tokens, 89)
        assertNear(nll, expected)
        assertNear(value, Math.exp(expected / 89))
      }
    })

    it('scores every token once, each in its own document', async () => {
      for (const [context, stride] of [
        [16, 16],
        [11, 4],
        [5, 1],
      ] as const) {
        const losses = await lossesByHand(new Plain(model), reference.stream, context, stride)
        const { documents, tokens, nll } = await score({ context, stride })
        assert.equal(documents.length, starts.length - 1)
        documents.forEach((document, n) => {
          const own = losses.slice(starts[n + 1], starts[n + 2])
          assert.equal(document.tokens, own.length)
          assertNear(document.nll, sum(own))
        })
        assert.equal(sum(documents.map((document) => document.tokens)), tokens)
        assertNear(sum(documents.map((document) => document.nll)), nll)
      }
    })

    it('counts how sure the model was of its likeliest tokens, and how often they were right', async () => {
      const by = new Plain(model)
      const { calibration, tokens } = await score({ context: 16, stride: 16 })
      const expected = Array.from({ length: 10 }, () => ({ count: 0, confidence: 0, right: 0 }))
      for (let start = 0; start < 89; start += 16) {
        const row = reference.stream.slice(start, start + 17)
        for (const [i, all] of (await by.allLogProbs(row)).entries()) {
          const highest = Math.max(...all)
          const bin = expected[Math.floor(10 * Math.exp(highest))]!
          bin.count += 1
          bin.confidence += Math.exp(highest)
          bin.right += Number(all.indexOf(highest) === row[i + 1])
        }
      }
      assert.equal(sum(calibration.bins.map(({ count }) => count)), tokens)
      let error = 0
      calibration.bins.forEach(({ count, confidence, accuracy }, n) => {
        const bin = expected[n]!
        assert.equal(count, bin.count)
        if (count === 0) {
          assert.deepEqual([confidence, accuracy], [0, 0])
          return
        }
        assertNear(confidence, bin.confidence / count)
        assertNear(accuracy, bin.right / count)
        error += Math.abs(bin.right - bin.confidence) / tokens
      })
      assertNear(calibration.error, error)
    })

    it('is the same in whatever batch', async () => {
      for (const stride of [16, 7]) {
        const one = await score({ stride, batch: 1 })
        for (const batch of [3, 8, 64]) {
          const other = await score({ stride, batch })
          assertNear(other.nll, one.nll)
          other.documents.forEach((document, n) => assertNear(document.nll, one.documents[n]!.nll))
        }
      }
    })

    it('of the first tokens alone is that of the stream cut there', async () => {
      const cut = splitOf(Uint16Array.from(reference.stream.slice(0, 84)), starts.slice(0, -2))
      assert.deepEqual(await score({ tokens: 84 }), await score({}, cut))
      assert.equal((await score({ tokens: 84 })).tokens, 83)
    })

    it('has blocks of a row for a stream of few documents, so that there is something to resample', async () => {
      const losses = await lossesByHand(new Plain(model), reference.stream, 16, 16)
      const { documents } = await score({}, splitOf(split.ids.slice() as Uint16Array, [0, 30, 60]))
      assert.deepEqual(
        documents.map(({ tokens }) => tokens),
        [16, 16, 16, 16, 16, 9],
      )
      documents.forEach(({ nll }, n) => assertNear(nll, sum(losses.slice(1 + 16 * n, 17 + 16 * n))))
    })
  })
}

describe('perplexity', () => {
  it('sees the logits of a few hundred tokens at once, and is the same over several such chunks', async () => {
    const model = hold(engine, { config: tiny(), weights: initialise(tiny(), 1) })
    const long = stream(1500, 13)
    const score = (batch: number) => perplexity(model, long, { context: 12, stride: 12, batch, tokens: 0 }, quiet)
    assertNear((await score(125)).nll, (await score(2)).nll)
  })

  it('refuses rows longer than the position table', async () => {
    const model = hold(engine, { config: tiny(), weights: initialise(tiny(), 1) })
    const scored = perplexity(model, stream(50, 13), { context: 13, stride: 13, batch: 1, tokens: 0 }, quiet)
    await assert.rejects(scored, { code: 'CONTEXT_TOO_LONG' })
  })

  it('stops when it is told to, and says how far it is', async () => {
    const model = hold(engine, { config: tiny(), weights: initialise(tiny(), 1) })
    const stop = new AbortController()
    const seen: string[] = []
    const onProgress = (done: number, total: number): void => {
      seen.push(`${done}/${total}`)
      if (done === 4) stop.abort()
    }
    const options = { context: 12, stride: 12, batch: 2, tokens: 0 }
    await assert.rejects(perplexity(model, stream(97, 13), options, { signal: stop.signal, onProgress }), {
      name: 'AbortError',
    })
    assert.deepEqual(seen, ['2/8', '4/8'])
  })
})

/** A run of the model for each token: the row that scores it begins at the first multiple of `stride` that reaches it. */
async function lossesByHand(
  plain: Plain,
  tokens: readonly number[],
  context: number,
  stride: number,
): Promise<number[]> {
  const losses = [0]
  for (let place = 1; place < tokens.length; place++) {
    const start = stride * Math.ceil(Math.max(0, place - context) / stride)
    losses.push(-(await plain.logProbs(tokens.slice(start, place + 1))).at(-1)!)
  }
  return losses
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function assertNear(found: number, expected: number): void {
  const allowed = 2e-6 * Math.max(1, Math.abs(expected))
  assert.ok(Math.abs(found - expected) <= allowed, `expected ${expected}, found ${found}`)
}
