import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fixtures, tensorsOf } from '../model/rig.ts'
import { Place } from './command.ts'
import { writeModel } from './learner.ts'

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
