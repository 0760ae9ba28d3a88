import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Running } from '../../lib/model/likelihood.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { questions } from '../../lib/model/questions.ts'
import { scoreItems } from '../../lib/model/score.ts'
import { readItems } from '../../lib/data/tasks.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import { initialise } from '../../lib/model/weights.ts'
import { quiet } from './plain.ts'
import { copied, engine, scratch, tiny } from './rig.ts'
import { config, options, start, taught, trained } from './training.ts'
import { writeWords } from './words.ts'

const folder = scratch()
await writeWords(folder, 12)
const file = join(folder, 'items.jsonl')
const items = Array.from({ length: 9 }, (_, n) => ({
  ind: n,
  ctx: `w${n} w${(n + 1) % 12}`,
  endings: [`w${(n + 2) % 12}`, `w${(n + 5) % 12} w1`, `w${(n + 7) % 12}`, 'w3'],
  label: n % 4,
}))
writeFileSync(file, items.map((item) => `${JSON.stringify(item)}\n`).join(''))
const params = { items: 0, format: 'hellaswag', convention: 'plain' } as const

describe('questions that are asked while a model trains', () => {
  it('are answered as the same items scored by themselves', async () => {
    const weights = initialise(tiny(), 3)
    const model = hold(engine, { config: tiny(), weights })
    const read = readItems(file, 'hellaswag', 'plain')
    assert.ok(read.ok)
    const tokenizer = await loadTokenizer(folder)
    for (const limit of [0, 4]) {
      const some = read.value.slice(0, limit || 9)
      const { scores } = await scoreItems(model, tokenizer, some, { convention: 'plain', batch: 2 }, quiet)
      const ask = await questions(file, folder, { ...params, items: limit }, quiet.signal)
      assert.equal(await ask(model), scores.accNorm)
    }
  })

  it('are refused where their file is', async () => {
    writeFileSync(join(folder, 'bad.jsonl'), '{"ctx": 1}\n')
    await assert.rejects(questions(join(folder, 'bad.jsonl'), folder, params, quiet.signal), { code: 'ITEMS_INVALID' })
  })

  it('stand on the curve at each validation, and change nothing else', async () => {
    const setup = { ...taught, options: { ...options, validateEvery: 3 } }
    const plain = await trained(setup)
    const asked: Float32Array[] = []
    const ask = async ({ memory, config: own }: Running): Promise<number> => {
      assert.equal(own, config)
      asked.push((await memory.read('transformer.wpe.weight')).data.slice() as Float32Array)
      return asked.length / 10
    }
    const found = await trained(setup, { ask })
    const told = found.points.filter(({ accNorm }) => accNorm !== undefined)
    assert.deepEqual(
      told.map(({ step, accNorm }) => [step, accNorm]),
      found.points
        .filter(({ validationLoss }) => validationLoss !== undefined)
        .map(({ step }, i) => [step, (i + 1) / 10]),
    )
    assert.ok(told.length > 1)
    assert.notDeepEqual(asked[0], asked[1])
    assert.notDeepEqual(asked[0], copied(start).get('transformer.wpe.weight')!.data)
    const without = found.points.map((point) => ({ ...point, accNorm: undefined }))
    assert.deepEqual(JSON.parse(JSON.stringify(without)), JSON.parse(JSON.stringify(plain.points)))
    assert.deepEqual(found.weights, plain.weights)
  })
})
