import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { hold } from '../../lib/model/likelihood.ts'
import { logitsOf } from '../../lib/model/logits.ts'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { assertClose, engine, fixtures, tensorsOf, tiny } from '../model/rig.ts'
import { Place } from './command.ts'
import { config, writeModel } from './learner.ts'

describe('pipeline logits', () => {
  it("gives the reference's numbers, a row a token, of a folder that is nothing but a model", async (t) => {
    const folder = join(fixtures, 'gpt-neo-window')
    const expected = tensorsOf(join(folder, 'expected.safetensors'))
    const ids = Array.from(expected.get('tokens')!.data.subarray(0, 300))
    const { code, out, errors } = await new Place(t).run('logits', `file:${folder}`, '--ids', ids.join(), '--json')
    assert.deepEqual([code, errors], [0, ''])
    const { logits } = JSON.parse(out) as { logits: number[][] }
    const all = expected.get('logits')!.data
    assert.equal(logits.length, ids.length)
    const worst = logits.flat().reduce((most, logit, i) => Math.max(most, Math.abs(logit - all[i]!)), 0)
    t.diagnostic(`largest difference ${worst}`)
    assert.ok(worst <= 1e-4)
  })

  it('gives the same of weights that torch.save wrote, whole and in shards', async (t) => {
    const place = new Place(t)
    const logits = async (name: string) =>
      place.run('logits', `file:${join(fixtures, '..', 'torch', name)}`, '--ids', '3,1,4,1,5', '--json')
    const expected = await logits('safetensors')
    assert.deepEqual([expected.code, expected.errors], [0, ''])
    for (const name of ['gpt2', 'shards', 'buffers']) assert.deepEqual(await logits(name), expected)
  })

  it('takes a folder from where one stands, and prints for people too', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'models/small')
    const { code, out } = await place.run('logits', 'file:models/small', '--ids', '3, 1')
    assert.equal(code, 0)
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t').map(Number))
    assert.deepEqual(
      rows.map((row) => row.length),
      [13, 13],
    )
    const { logits } = JSON.parse((await place.run('logits', 'file:models/small', '--ids', '3,1', '--json')).out) as {
      logits: number[][]
    }
    assert.deepEqual(rows, logits)
  })

  it('prints a row for each token of a whole context over a whole vocabulary, which no text could hold', async (t) => {
    const [context, vocabSize] = [1024, 50_257]
    const shape = { ...tiny({ width: 4, inner: 4, layers: 1, attention: ['global'] }), context, vocabSize }
    const model = { config: shape, weights: initialise(shape, 1, { deviation: 1 }) }
    const place = new Place(t)
    saveModel(join(place.root, 'm'), model, { eos: 0 })
    const ids = Array.from({ length: context }, (_, n) => (n * 49) % vocabSize)
    const expected = await logitsOf(hold(engine, model), ids)
    const { stdout } = place.spawn(['logits', 'file:m', '--ids', ids.join(), '--json'])
    let rows = 0
    for await (const row of rowsIn(stdout)) {
      if (rows % 256 === 255) assertClose(t, `row ${rows}`, JSON.parse(row) as number[], expected[rows]!, 1e-5)
      rows++
    }
    assert.equal(rows, context)
  })

  it('refuses what is no number, which JSON cannot say', async (t) => {
    const place = new Place(t)
    const weights = initialise(config, 1)
    weights.get('transformer.ln_f.weight')!.data[3] = Number.NaN
    saveModel(join(place.root, 'm'), { config, weights }, { eos: 0 })
    const { code, out, errors } = await place.run('logits', 'file:m', '--ids', '1,2')
    assert.match(errors, /a probability that is no number\. .*\[SCORE_NOT_FINITE\]/)
    assert.deepEqual([code, out], [1, ''])
  })

  it('ends when its reader has gone', async (t) => {
    const place = new Place(t)
    await writeModel(place, 'm', { ...config, context: 1000, window: 1000 }, 2000)
    const ids = Array.from({ length: 1000 }, (_, n) => n)
    const child = place.spawn(['logits', 'file:m', '--ids', ids.join()])
    child.stdout.once('data', () => child.stdout.destroy())
    const [code] = (await once(child, 'exit')) as [number | null]
    assert.equal(code, 0)
  })

  const mistakes: Readonly<Record<string, [readonly string[], RegExp]>> = {
    'an id that is no number': [
      ['file:m', '--ids', '1,x'],
      /--ids: "x" is no token id\. Give whole numbers .*\[IDS_INVALID\]/,
    ],
    'an id past the vocabulary': [['file:m', '--ids', '13'], /13 is no token: .* from 0 to 12\. \[ID_UNKNOWN\]/],
    'more than the position table': [
      ['file:m', '--ids', Array.from({ length: 17 }, () => 1).join()],
      /17 tokens do not fit the model's position table of 16\. .*\[CONTEXT_TOO_LONG\]/,
    ],
    'a folder that is not there': [['file:n', '--ids', '1'], /There is no file or folder "\S+\/n"\. \[FILE_MISSING\]/],
    'a hash that is not recorded': [
      ['abc', '--ids', '1'],
      /No experiment's hash begins with "abc".*\[EXPERIMENT_UNKNOWN\]/,
    ],
  }
  for (const [what, [args, message]] of Object.entries(mistakes)) {
    it(`refuses ${what}: exit code 2`, async (t) => {
      const place = new Place(t)
      await writeModel(place, 'm')
      const { code, out, errors } = await place.run('logits', ...args)
      assert.match(errors, message)
      assert.deepEqual([code, out], [2, ''])
    })
  }
})

/** The rows of `{"logits":[[…],[…]]}`, one at a time. */
async function* rowsIn(stream: Readable): AsyncGenerator<string> {
  let parts: string[] = []
  for await (const text of stream.setEncoding('utf8')) {
    const [first, ...others] = (text as string).split(']')
    parts.push(first!)
    for (const other of others) {
      const row = parts.join('').replace(/^.*\[/, '[')
      if (row.startsWith('[')) yield `${row}]`
      parts = [other]
    }
  }
}
