import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hold } from '../../lib/model/likelihood.ts'
import { loadModel } from '../../lib/model/weights.ts'
import { HubServer } from '../data/hub-server.ts'
import { Plain } from '../model/plain.ts'
import { engine } from '../model/rig.ts'
import { textOf } from '../model/words.ts'
import { Place } from './command.ts'
import { config, writeModel } from './learner.ts'

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
    assert.deepEqual(JSON.parse(out), { ids: row, text: textOf(row) })
    const drawn = await say('--seed', '2')
    assert.equal(await say('--seed', '2'), drawn)
    assert.notEqual(await say('--seed', '3'), drawn)
  })

  it('prints the text as it comes', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm', { ...config, context: 500, window: 500 })
    const { child, ended } = place.start(['generate', 'file:m', 'w3 w1', '--tokens', '400'])
    const seen: string[] = []
    child.stdout!.on('data', (text: string) => seen.push(text))
    const { out } = await ended
    assert.ok(seen.length > 1, 'all came at once')
    assert.ok(seen[0]!.startsWith('w3 w1 w'))
    assert.match(out, /^w3 w1( \S+)+\n$/)
  })

  it('says on standard error how far the download of its model is', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm')
    const files = ['config.json', 'model.safetensors', 'tokenizer.json']
    const server = new HubServer({
      'models/owner/small': Object.fromEntries(files.map((file) => [file, readFileSync(join(place.root, 'm', file))])),
    })
    await server.start()
    t.after(() => server.stop())
    Object.assign(process.env, { HF_ENDPOINT: server.endpoint, HF_HOME: join(place.root, 'hub') })
    server.spared = (url) => !url.endsWith('model.safetensors')
    server.faults.file.push({ pausesMs: 1500 })
    const say = () => place.run('generate', 'hub:owner/small@main', 'w3 w1', '--tokens', '1')
    const { code, out, errors } = await say()
    assert.match(errors, /^(fetching hub:owner\/small@main {2}0\.0 of 0\.0 MB \(\d+ %\)\n)+$/)
    assert.deepEqual([code, out.split(' ').length], [0, 3])
    assert.deepEqual(await say(), { code, out, errors: '' })
  })

  const mistakes: Readonly<Record<string, [readonly string[], RegExp, string?]>> = {
    'an empty prompt': [['', '--tokens', '1'], /Prompt 1 has no token\. Give it a text\. \[PROMPT_EMPTY\]/],
    'more than fits': [['w1', '--tokens', '16'], /position table of 16\. .*\[PROMPT_TOO_LONG\]/],
    'a share above 1': [['w1', '--top-p', '2'], /'--top-p <share>' .* Expected a number above 0 and at most 1\./],
    'a model that is not built in': [
      ['w1'],
      /There is no model built in by the name "world"\. Built in: builtin:student, builtin:teacher\. \[MODEL_MISSING\]/,
      'builtin:world',
    ],
    'half a token': [['w1', '--tokens', '1.5'], /'--tokens <number>' .* Expected a whole number from 1\./],
  }
  for (const [what, [args, message, model = 'file:m']] of Object.entries(mistakes)) {
    it(`refuses ${what}: exit code 2`, async (t) => {
      const place = new Place(t)
      await writeModel(place, 'm')
      const { code, out, errors } = await place.run('generate', model, ...args)
      assert.match(errors, message)
      assert.deepEqual([code, out], [2, ''])
    })
  }
})
