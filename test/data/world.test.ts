import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { splitDocuments } from '../../lib/data/corpus.ts'
import { readItems } from '../../lib/data/tasks.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import type { Tokenizer } from '../../lib/data/tokenizer.ts'
import { makeWorld, writeWorld } from '../../lib/data/world.ts'
import { Failure } from '../../lib/util/failure.ts'

const small = { seed: 5, train: 60, validation: 10, test: 10, items: 80 }
const world = makeWorld(small)
const lines = (file: string, of = world) => splitDocuments(of[file]!, 'line')
const folder = mkdtempSync(join(tmpdir(), 'world-'))
after(() => {
  rmSync(folder, { recursive: true })
})

describe('makeWorld', () => {
  it('gives the same bytes for the same options, others for another seed', () => {
    assert.deepEqual(makeWorld(small), world)
    const other = makeWorld({ ...small, seed: 6 })
    for (const file of ['train.txt', 'validation.txt', 'test.txt', 'items.jsonl'])
      assert.notEqual(other[file], world[file])
  })

  it('makes as much as was asked for, and the size of one split changes no other', () => {
    assert.equal(lines('train.txt').length, 60)
    assert.equal(lines('items.jsonl').length, 80)
    const larger = makeWorld({ ...small, train: 70 })
    assert.deepEqual(lines('train.txt', larger).slice(0, 60), lines('train.txt'))
    assert.equal(larger['test.txt'], world['test.txt'])
  })

  it('tells no story twice, in one split or in two', () => {
    const all = ['train.txt', 'validation.txt', 'test.txt'].flatMap((file) => lines(file))
    assert.equal(new Set(all).size, all.length)
  })

  it('tells only the truth without noise, and changes nothing but answers with it', () => {
    const clean = lines('train.txt', makeWorld({ ...small, noise: 0 }))
    for (const story of clean) assert.deepEqual(untrue(story), [], story)
    for (const story of lines('test.txt')) assert.deepEqual(untrue(story), [], story)
    const noisy = lines('train.txt', makeWorld({ ...small, noise: 1 }))
    const wrong = noisy.flatMap((story) => untrue(story)).length
    const said = noisy.flatMap((story) => statementsOf(story)).length
    assert.ok(wrong / said > 0.6 && wrong / said < 0.9, `${wrong} of ${said} untrue, expected about 3 in 4`)
  })

  it('refuses items where stories do not have four answers', () => {
    assert.throws(
      () => makeWorld({ ...small, places: 3 }),
      (error) => error instanceof Failure && error.code === 'WORLD_TOO_SMALL',
    )
  })
})

describe('items', () => {
  const items = lines('items.jsonl').map(
    (line) => JSON.parse(line) as { ctx: string; endings: string[]; label: number },
  )

  it('have one true ending, and three that the story contradicts in the same words but one', () => {
    for (const { ctx, endings, label } of items) {
      assert.deepEqual(
        endings.map((ending) => untrue(`${ctx} ${ending}`).length),
        endings.map((_, i) => (i === label ? 0 : 1)),
        `${ctx} → ${endings.join(' / ')}`,
      )
      const answers = endings.map((ending) => ending.split(' ').at(-2)!)
      assert.equal(new Set(answers).size, 4)
      assert.equal(new Set(endings.map((ending, i) => ending.replace(` ${answers[i]!} .`, ''))).size, 1)
      for (const answer of answers) assert.ok(ctx.includes(answer), 'a wrong answer belongs to the story too')
    }
  })

  it('are seldom answered by the latest plain statement or the last answer named, and have no favourite label', () => {
    const many = lines('items.jsonl', makeWorld({ ...small, items: 1000 })).map(
      (line) => JSON.parse(line) as { ctx: string; endings: string[]; label: number },
    )
    const share = (guess: (item: (typeof many)[number]) => number) =>
      many.filter((item) => guess(item) === item.label).length / many.length
    const latest = share(({ ctx, endings }) => indexOfLargest(endings.map((ending) => ctx.lastIndexOf(ending))))
    const named = share(({ ctx, endings }) =>
      indexOfLargest(endings.map((ending) => ctx.lastIndexOf(` ${ending.split(' ').at(-2)!} `))),
    )
    assert.ok(latest < 0.5, `latest statement: ${latest}`)
    assert.ok(named < 0.5, `last answer named: ${named}`)
    for (let label = 0; label < 4; label++) {
      const favour = share(() => label)
      assert.ok(favour > 0.2 && favour < 0.3, `label ${label}: ${favour}`)
    }
  })
})

describe('writeWorld', () => {
  let tokenizer: Tokenizer
  before(async () => {
    writeWorld(folder, small)
    tokenizer = await loadTokenizer(folder)
  })

  it('writes the files of makeWorld, with items that can be read', () => {
    for (const [name, text] of Object.entries(world)) assert.equal(readFileSync(join(folder, name), 'utf8'), text)
    const items = readItems(join(folder, 'items.jsonl'), 'hellaswag', 'plain')
    assert.ok(items.ok && items.value.length === 80)
  })

  it('writes a tokenizer that knows every word and gives the story back', () => {
    for (const story of lines('train.txt')) {
      const ids = tokenizer.encode(story)
      assert.equal(ids.length, story.split(' ').length)
      assert.ok(!ids.includes(1), 'an unknown word')
      assert.equal(tokenizer.decode(ids), story)
    }
    assert.equal(tokenizer.eos, 0)
  })

  it('encodes a context and an ending apart as it does together', () => {
    for (const line of lines('items.jsonl')) {
      const { ctx, endings } = JSON.parse(line) as { ctx: string; endings: string[] }
      for (const ending of endings) {
        const apart = [...tokenizer.encode(ctx), ...tokenizer.encode(` ${ending}`)]
        assert.deepEqual(apart, tokenizer.encode(`${ctx} ${ending}`))
      }
    }
  })
})

const indexOfLargest = (of: number[]): number => of.indexOf(Math.max(...of))

const statementsOf = (story: string): string[] =>
  story.split(' .').filter((sentence) => / was (in|with) /.test(sentence))

/**
 * An independent reading of a story, sentence by sentence: its untrue statements.
 */
function untrue(story: string): string[] {
  const place = new Map<string, string>()
  const holder = new Map<string, string>()
  const whereIs = (who: string) => place.get(holder.get(who) ?? who)
  return story.split(' .').filter((sentence) => {
    const words = sentence.trim().split(' ')
    const [first, second, third, fourth] = words as [string, string, string, string?]
    if (second === 'was') return (third === 'with' ? holder.get(first) : whereIs(first)) !== fourth
    if (third === 'lived' || third === 'came') place.set(fourth!, second)
    const thing = words[4]!
    if (fourth === 'found' || fourth === 'took' || fourth === 'got') holder.set(thing, third)
    if (fourth === 'left') {
      holder.delete(thing)
      place.set(thing, second)
    }
    return false
  })
}
