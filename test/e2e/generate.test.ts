import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hold } from '../../lib/model/likelihood.ts'
import { loadModel } from '../../lib/model/weights.ts'
import { Plain } from '../model/plain.ts'
import { engine } from '../model/rig.ts'
import { textOf } from '../model/words.ts'
import { Place } from './command.ts'
import { writeModel } from './learner.ts'

describe('pipeline generate', () => {
  it('continues a text by the likeliest words at temperature 0, and by the seed above it', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    const plain = new Plain(hold(engine, await loadModel(join(place.root, 'm'))))
    const row = [3, 1]
    for (let n = 0; n < 5; n++) {
      const logits = (await plain.logits(row)).at(-1)!
      row.push(logits.indexOf(Math.max(...logits)))
    }
    const say = async (...args: string[]): Promise<string> =>
      (await place.run('generate', 'file:m', 'w3 w1', '--tokens', '5', ...args)).out.trimEnd()
    assert.equal(await say('--temperature', '0'), textOf(row))
    const { out } = await place.run('generate', 'file:m', 'w3 w1', '--tokens', '5', '--top-k', '1', '--json')
    assert.deepEqual(JSON.parse(out), { text: textOf(row) })
    const drawn = await say('--seed', '2')
    assert.equal(await say('--seed', '2'), drawn)
    assert.notEqual(await say('--seed', '3'), drawn)
  })

  const mistakes: Readonly<Record<string, [readonly string[], RegExp]>> = {
    'an empty prompt': [['', '--tokens', '1'], /Prompt 1 has no token\. Give it a text\. \[PROMPT_EMPTY\]/],
    'more than fits': [['w1', '--tokens', '16'], /position table of 16\. .*\[PROMPT_TOO_LONG\]/],
    'a share above 1': [['w1', '--top-p', '2'], /'--top-p <share>' .* Expected a number above 0 and at most 1\./],
    'half a token': [['w1', '--tokens', '1.5'], /'--tokens <number>' .* Expected a whole number from 1\./],
  }
  for (const [what, [args, message]] of Object.entries(mistakes)) {
    it(`refuses ${what}: exit code 2`, async (t) => {
      const place = new Place(t)
      await writeModel(place, 'm')
      const { code, out, errors } = await place.run('generate', 'file:m', ...args)
      assert.match(errors, message)
      assert.deepEqual([code, out], [2, ''])
    })
  }
})
