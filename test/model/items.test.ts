import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Convention } from '../../lib/data/task-forms.ts'
import type { Item } from '../../lib/data/tasks.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import type { Tokenizer } from '../../lib/data/tokenizer.ts'
import { baselinesOf, firstBest } from '../../lib/model/items.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { pairsOf } from '../../lib/model/pairs.ts'
import { scoreItems } from '../../lib/model/score.ts'
import type { ScoringOptions } from '../../lib/model/score.ts'
import { bucketsOf, treesOf } from '../../lib/model/tree.ts'
import { initialise, loadModel } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { Plain, quiet } from './plain.ts'
import { engine, fixtures, scratch, tiny } from './rig.ts'
import { itemOf, writeWords } from './words.ts'
import type { ItemIds } from './words.ts'

const tokenizer = await writeWords(scratch(), 61)
const bytes = await loadTokenizer(join(import.meta.dirname, '../fixtures/data/byte-level'))
const item = (context: string, endings: string[], label = 0): Item => ({
  index: 0,
  options: endings.map((ending) => ({ context, ending })),
  label,
})
const plain = (batch: number): ScoringOptions => ({ convention: 'plain', batch })
const treeOf = (by: Tokenizer, { index, options }: Item, positions: number) =>
  treesOf(pairsOf(by, options, { index, positions, convention: 'plain' }).pairs)[0]!

/** Lengths of all kinds; the contexts reach past the table of 16 positions. */
function drawItems(count: number): ItemIds[] {
  const random = new Random(3, 'items')
  const words = (length: number): number[] => Array.from({ length }, () => random.below(61))
  return Array.from({ length: count }, (_, n) => ({
    context: words(1 + ((n * 5) % 18)),
    endings: Array.from({ length: 4 }, () => words(1 + random.below(n % 4 === 0 ? 15 : 6))),
  }))
}

for (const name of ['gpt2', 'gpt-neo']) {
  describe(`items by the ${name} of the reference`, async () => {
    const model = hold(engine, await loadModel(join(fixtures, name)))

    it('get the sums that transformers gives for four rows apart', async () => {
      const reference = JSON.parse(readFileSync(join(fixtures, name, 'scores.json'), 'utf8')) as {
        items: (ItemIds & { sums: number[] })[]
      }
      const { scores } = await scoreItems(model, tokenizer, reference.items.map(itemOf), plain(3), quiet)
      reference.items.forEach(({ sums, endings }, n) => {
        assertNear(scores.results[n]!.logProbs, sums, 2e-5)
        assert.equal(scores.results[n]!.choice, firstBest(sums))
        assert.equal(scores.results[n]!.choiceNorm, firstBest(sums.map((sum, e) => sum / endings[e]!.length)))
      })
    })

    it('packed in one row get what four rows apart get, in whatever batch, with contexts cut to fit', async () => {
      const drawn = drawItems(25)
      const alone = new Plain(model)
      const apart: number[][] = []
      for (const one of drawn) apart.push(await sumsApart(alone, one, model.config.context))
      for (const batch of [1, 3, 8]) {
        const { scores, cut } = await scoreItems(model, tokenizer, drawn.map(itemOf), plain(batch), quiet)
        scores.results.forEach(({ logProbs }, n) => assertNear(logProbs, apart[n]!, 1e-5))
        assert.ok(cut > 0 && cut < drawn.length)
        assert.match(scores.convention, new RegExp(`; ${cut} contexts lost their first tokens .*\\.$`))
      }
    })

    it('may have two endings, three or five, and contexts of their own', async () => {
      const random = new Random(4, 'options')
      const words = (length: number): number[] => Array.from({ length }, () => random.below(61))
      const drawn = Array.from({ length: 20 }, (_, n) => {
        const contexts = [words(1 + (n % 6)), words(3)]
        const count = 2 + (n % 4)
        return Array.from({ length: count }, (_, e) => {
          return { context: contexts[n % 2 === 0 ? 0 : e % 2]!, endings: [words(1 + random.below(5))] }
        })
      })
      const alone = new Plain(model)
      const items = drawn.map((options, index) => {
        return { index, options: options.flatMap((one) => itemOf(one, 0).options), label: index % options.length }
      })
      const { scores } = await scoreItems(model, tokenizer, items, plain(3), quiet)
      for (const [n, options] of drawn.entries()) {
        const sums = []
        for (const one of options) sums.push(...(await sumsApart(alone, one, model.config.context)))
        assertNear(scores.results[n]!.logProbs, sums, 1e-5)
      }
    })

    it('do not depend on the other items', async () => {
      const items = drawItems(25).map(itemOf)
      const { scores } = await scoreItems(model, tokenizer, items, plain(8), quiet)
      for (const n of [0, 7, 24]) {
        const single = await scoreItems(model, tokenizer, [items[n]!], plain(1), quiet)
        assertNear(single.scores.results[0]!.logProbs, scores.results[n]!.logProbs, 1e-5)
      }
    })
  })
}

describe('scores of items', () => {
  it('count the right ones, with a standard error of n − 1', async () => {
    const model = hold(engine, await loadModel(join(fixtures, 'gpt2')))
    const { scores } = await scoreItems(model, tokenizer, drawItems(25).map(itemOf), plain(8), quiet)
    const right = scores.results.map(({ choice, label }) => Number(choice === label))
    const mean = right.reduce((sum, one) => sum + one, 0) / 25
    const variance = right.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 24
    assert.equal(scores.acc, mean)
    assert.ok(Math.abs(scores.standardError.acc - Math.sqrt(variance / 25)) < 1e-12)
    const lengths = scores.results.map(({ tokens }) => tokens)
    assert.deepEqual(
      lengths,
      drawItems(25).map(({ endings }) => endings.map((ending) => ending.length)),
    )
  })

  it('count by the sum, by the token and by the character, whatever the convention', async () => {
    const model = hold(engine, await loadModel(join(fixtures, 'gpt2')))
    const short = drawItems(25).map(({ context, endings }) => ({ context: context.slice(0, 1), endings })) // none is cut
    const items = short.map((one, n) => ({ ...itemOf(one, n), activity: n % 3 === 0 ? 'b' : 'a' }))
    const score = (convention: Convention) => scoreItems(model, tokenizer, items, { convention, batch: 8 }, quiet)
    const { scores: byTokens } = await score('plain')
    const { scores: byCharacters } = await score('harness')
    const share = (lengths: (n: number, e: number) => number): number => {
      const right = byTokens.results.filter(({ logProbs, label }, n) => {
        return firstBest(logProbs.map((sum, e) => sum / lengths(n, e))) === label
      })
      return right.length / 25
    }
    assert.equal(byTokens.estimates.acc.value, byTokens.acc)
    assert.equal(
      byTokens.accNorm,
      share((n, e) => byTokens.results[n]!.tokens[e]!),
    )
    const characters = share((n, e) => items[n]!.options[e]!.ending.length)
    assert.equal(byTokens.estimates.accNormByCharacters.value, characters)
    assert.equal(byCharacters.accNorm, characters)
    const right = byCharacters.results.filter(({ choiceNorm, label }) => choiceNorm === label)
    assert.equal(right.length / 25, characters)
    assert.deepEqual(
      byTokens.activities.map(({ activity, count }) => [activity, count]),
      [
        ['a', 16],
        ['b', 9],
      ],
    )
    const rightIn = (shares: 'acc' | 'accNorm') =>
      byTokens.activities.reduce((sum, activity) => sum + activity.count * activity[shares], 0)
    assert.ok(Math.abs(rightIn('acc') - 25 * byTokens.acc) < 1e-9)
    assert.ok(Math.abs(rightIn('accNorm') - 25 * byTokens.accNorm) < 1e-9)
  })

  it('can be stopped between two batches, having told of each item', async () => {
    const model = hold(engine, await loadModel(join(fixtures, 'gpt2')))
    const words = [1, 2, 3, 4]
    const items = Array.from({ length: 3 }, (_, n) => itemOf({ context: [n, ...words], endings: [[1], [2]] }, n))
    const stop = new AbortController()
    const told: number[][] = []
    const onProgress = (...counts: number[]) => {
      told.push(counts)
      // what comes from outside, as a signal does, is heard while there is more to score
      if (told.length === 2) setImmediate(() => stop.abort())
    }
    const scored = scoreItems(model, tokenizer, items, plain(1), { signal: stop.signal, onProgress })
    await assert.rejects(scored, { name: 'AbortError' })
    assert.deepEqual(told, [
      [1, 3],
      [2, 3],
    ])
  })

  it('measure an ending in code points, without the space before it', async () => {
    const model = hold(engine, await loadModel(join(fixtures, 'gpt2')))
    const { scores } = await scoreItems(model, tokenizer, [item('w1', ['w2 🎈', 'é'])], plain(1), quiet)
    assert.deepEqual(scores.results[0]!.characters, [4, 1])
  })

  it('take the first of equal endings', async () => {
    assert.equal(firstBest([1, 3, 3, 2]), 1)
    const model = hold(engine, await loadModel(join(fixtures, 'gpt2')))
    const same = itemOf({ context: [1, 2], endings: [[5, 6], [7], [7], [7]] }, 0)
    const { choice, logProbs } = (await scoreItems(model, tokenizer, [same], plain(1), quiet)).scores.results[0]!
    assert.equal(logProbs[1], logProbs[2])
    assert.equal(choice, 1)
  })

  it('refuse a model whose weights are damaged', async () => {
    const weights = initialise(tiny({ vocabSize: 61 }), 1)
    weights.get('transformer.ln_f.bias')!.data[0] = NaN
    const model = hold(engine, { config: tiny({ vocabSize: 61 }), weights })
    const scored = scoreItems(model, tokenizer, drawItems(1).map(itemOf), plain(1), quiet)
    await assert.rejects(scored, { code: 'SCORE_NOT_FINITE' })
  })
})

describe('a tree', () => {
  it('holds the context verbatim, and " " + ending encoded apart from it', () => {
    const [context, endings] = ['  Anna [header] had ', ['a ten.', 'it', ' of', 'x\n']]
    const tree = treeOf(bytes, item(context, endings), 1024)
    const expected = endings.map((ending) => bytes.encode(` ${ending}`))
    assert.deepEqual(
      tree.scored.map(({ label }) => label),
      expected.flat(),
    )
    assert.deepEqual(tree.tokens, [...bytes.encode(context), ...expected.flatMap((ending) => ending.slice(0, -1))])
  })

  it('starts every ending at the position after the context, within the table', () => {
    const tree = treeOf(tokenizer, itemOf({ context: [1, 2, 3], endings: [[4, 5, 6], [7], [8, 9], [1, 1]] }, 0), 16)
    assert.deepEqual(tree.tokens, [1, 2, 3, 4, 5, 8, 1])
    assert.deepEqual(tree.positions, [0, 1, 2, 3, 4, 3, 3])
    assert.deepEqual(tree.segments, [0, 0, 0, 1, 1, 3, 4])
    assert.deepEqual(
      tree.scored.map(({ source }) => source),
      [2, 3, 4, 2, 2, 5, 2, 6],
    )
    for (const one of drawItems(25)) assert.ok(Math.max(...treeOf(tokenizer, itemOf(one, 0), 16).positions) < 16)
  })

  it('holds the endings of one context; another context has a row of its own', () => {
    const pair = (context: number[], ending: number[]) => ({ context, ending })
    const trees = treesOf([pair([1, 2], [3]), pair([1], [4, 5]), pair([1, 2], [6, 7])])
    assert.deepEqual(
      trees.map(({ tokens, members }) => [tokens, members]),
      [
        [
          [1, 2, 6],
          [0, 2],
        ],
        [[1, 4], [1]],
      ],
    )
  })

  it('of the harness has the tokens of both together, and spaces at the end of the context in the ending', () => {
    const option = { context: 'Anna had  ', ending: 'a ten.' }
    const { pairs } = pairsOf(bytes, [option], { index: 0, positions: 1024, convention: 'harness' })
    const head = bytes.encode('Anna had')
    const whole = bytes.encode('Anna had   a ten.')
    assert.deepEqual(pairs, [{ context: head, ending: whole.slice(head.length) }])
    const apart = pairsOf(bytes, [option], { index: 0, positions: 1024, convention: 'plain' }).pairs
    assert.notDeepEqual(apart, pairs)
  })

  it('keeps of a context what all endings have room for; by the harness, what each has', () => {
    const { options } = itemOf({ context: [1, 2, 3, 4, 5, 6], endings: [[7], [8, 9, 10]] }, 0)
    const kept = (convention: Convention) => pairsOf(tokenizer, options, { index: 0, positions: 5, convention })
    assert.deepEqual(
      kept('plain').pairs.map(({ context }) => context),
      [
        [4, 5, 6],
        [4, 5, 6],
      ],
    )
    assert.deepEqual(
      kept('harness').pairs.map(({ context }) => context),
      [
        [2, 3, 4, 5, 6],
        [4, 5, 6],
      ],
    )
    assert.ok(kept('harness').cut)
  })

  it('cannot be made of an ending longer than the table, nor of a context or an ending without a token', () => {
    const long = itemOf({ context: [1], endings: [[1], [2], [3], Array.from({ length: 17 }, () => 1)] }, 0)
    assert.throws(() => treeOf(tokenizer, long, 16), { code: 'ITEM_TOO_LONG' })
    assert.equal(treeOf(tokenizer, long, 17).tokens.length, 17) // an ending's last token is in no position
    assert.throws(() => treeOf(tokenizer, item('w1', ['w1', ' ']), 16), { code: 'ITEM_EMPTY' })
    assert.throws(() => treeOf(tokenizer, item(' ', ['w1', 'w2', 'w3', 'w4']), 16), { code: 'ITEM_EMPTY' })
  })
})

describe('buckets', () => {
  const random = new Random(1, 'lengths')
  const lengths = Array.from({ length: 600 }, () => 30 + random.below(170))
  const filled = (row: readonly number[]): number => row.reduce((sum, n) => sum + lengths[n]!, 0)

  it('hold every tree once, in rows that have room for theirs', () => {
    for (const width of [8, 64, 768]) {
      const buckets = bucketsOf(lengths, width)
      assert.deepEqual(
        buckets.flatMap(({ rows }) => rows.flat()).sort((a, b) => a - b),
        lengths.map((_, n) => n),
      )
      for (const { rows, length } of buckets) {
        assert.equal(length, Math.max(...rows.flat().map((n) => lengths[n]!)))
        for (const row of rows) assert.ok(filled(row) <= length)
      }
    }
  })

  it('are few, and nearly full: one for a wide model, more where attention is what a row costs', () => {
    const [bucket, ...others] = bucketsOf(lengths, 768)
    assert.equal(others.length, 0)
    const { rows, length } = bucket!
    assert.ok(filled(rows.flat()) / (rows.length * length) > 0.95)
    const narrow = bucketsOf(lengths, 8)
    assert.ok(narrow.length > 1 && narrow.length < 12, `${narrow.length} buckets`)
  })
})

describe('simple rules', () => {
  it('reach on items what counting by hand gives', () => {
    const story = 'Ada went to the hall. Then Ada went to the Yard, she said.'
    const rooms = [
      'Ada is in the hall.',
      'Ada is in the yard .',
      'Ada is in the attic.',
      'Ada is, really, in the cellar.',
    ]
    const none = ['a b', 'c d', 'e f', 'g h']
    const filled = [
      { index: 0, options: ['So Ann', 'So Bea'].map((context) => ({ context, ending: 'won.' })), label: 1 },
    ]
    assert.deepEqual(baselinesOf(filled), [])
    const items = [item(story, rooms, 1), item(story, rooms, 3), item(story, none, 0), item(story, none, 1)]
    assert.deepEqual(baselinesOf(items), [
      { name: 'The longest ending', acc: 2 / 4 },
      { name: 'The ending whose last word was mentioned last in the context', acc: 2 / 4 },
    ])
  })
})

/** Each ending in a row of its own, the context cut as far as the longest ending needs it. */
async function sumsApart(plain: Plain, { context, endings }: ItemIds, table: number): Promise<number[]> {
  const room = table - Math.max(...endings.map((ending) => ending.length)) + 1
  const kept = context.slice(Math.max(0, context.length - room))
  const sums = []
  for (const ending of endings) {
    const logProbs = await plain.logProbs([...kept, ...ending])
    sums.push(logProbs.slice(kept.length - 1).reduce((sum, one) => sum + one, 0))
  }
  return sums
}

function assertNear(found: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(found.length, expected.length)
  found.forEach((value, n) => {
    assert.ok(Math.abs(value - expected[n]!) <= tolerance, `${n}: expected ${expected[n]}, found ${value}`)
  })
}
