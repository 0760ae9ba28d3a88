import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hold } from '../../lib/model/likelihood.ts'
import { loadModel } from '../../lib/model/weights.ts'
import type { TextScore } from '../../lib/cli/commands/score.ts'
import { Plain } from '../model/plain.ts'
import { engine } from '../model/rig.ts'
import { textOf, writeWords } from '../model/words.ts'
import { Place } from './command.ts'
import { writeModel } from './learner.ts'

describe('pipeline score', () => {
  const ids = Array.from({ length: 40 }, (_, n) => (7 * n + n * n) % 12)

  it('measures a text longer than the context, each token once, as plain arithmetic does', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    place.write('text.txt', textOf(ids))
    const model = hold(engine, await loadModel(join(place.root, 'm')))
    // rows of 16 at 0, 8, 16, 24, each with the token that follows it: a row scores what the one before has not
    const plain = new Plain(model)
    let nll = 0
    for (const [start, first] of [
      [0, 1],
      [8, 17],
      [16, 25],
      [24, 33],
    ] as const) {
      const logProbs = await plain.logProbs(ids.slice(start, start + 17))
      for (const logProb of logProbs.slice(first - start - 1)) nll -= logProb
    }
    const { code, out } = await place.run('score', 'file:m', '--text', 'text.txt', '--json')
    assert.equal(code, 0)
    const found = JSON.parse(out) as TextScore
    assert.deepEqual([found.tokens, found.words, found.context, found.stride], [39, 40, 16, 8])
    assert.ok(Math.abs(found.nll - nll) < 1e-4, `${found.nll}, not ${nll}`)
    assert.ok(Math.abs(found.perplexity - Math.exp(nll / 39)) < 1e-4)
    assert.ok(Math.abs(found.perplexityPerWord - Math.exp(nll / 40)) < 1e-4)
    assert.match(
      (await place.run('score', 'file:m', '--text', 'text.txt', '--stride', '4')).out,
      /^perplexity {2}\d+\.\d\d {2}of 39 tokens, in rows of 16, 4 apart\nper word +\d+\.\d\d {2}of 40 words\n$/,
    )
  })

  it('refuses what is no text: exit code 2', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    place.write('empty.txt', ' \n')
    writeFileSync(join(place.root, 'latin1.txt'), Buffer.from('w1 w2 \xe9', 'latin1'))
    for (const [file, message] of [
      ['none.txt', /--text: there is no file "none\.txt"\. .*\[FILE_MISSING\]/],
      ['empty.txt', /has too little text \(tokens: 0, words: 0\); it takes two tokens .*\[TEXT_EMPTY\]/],
      ['latin1.txt', /is not UTF-8 text: its first wrong byte is at offset 6\. .*\[FILE_NOT_UTF8\]/],
    ] as const) {
      const { code, errors } = await place.run('score', 'file:m', '--text', file)
      assert.match(errors, message)
      assert.equal(code, 2)
    }
  })

  it('refuses white space alone, which has tokens but no word', async (t) => {
    const place = new Place(t)
    place.write('blank.txt', '   ')
    const { code, errors } = await place.run('score', 'builtin:student', '--text', 'blank.txt')
    assert.match(errors, /has too little text \(tokens: \d+, words: 0\).*\[TEXT_EMPTY\]/)
    assert.equal(code, 2)
  })

  it('reads a byte order mark as no part of the text', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    place.write('marked.txt', `\ufeff${textOf(ids)}`)
    place.write('plain.txt', textOf(ids))
    const score = async (file: string) => (await place.run('score', 'file:m', '--text', file, '--json')).out
    assert.equal(await score('marked.txt'), await score('plain.txt'))
  })

  for (const [command, args] of Object.entries({
    score: ['--text', 'text.txt'],
    generate: ['w1 w13', '--tokens', '1'],
  })) {
    it(`refuses in ${command} a tokenizer whose tokens the model does not have`, async (t) => {
      const place = new Place(t)
      await writeModel(place, 'm')
      await writeWords(join(place.root, 'm'), 14)
      place.write('text.txt', 'w1 w12 w13 w2')
      const { code, out, errors } = await place.run(command, 'file:m', ...args)
      assert.match(errors, /makes token 13 of the text, .* 0 to 12\. .*\[VOCABULARY_DIFFERS\]/)
      assert.deepEqual([code, out], [2, ''])
    })
  }
})
