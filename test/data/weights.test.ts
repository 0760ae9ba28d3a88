import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { writeSafetensors } from '../../lib/data/safetensors-write.ts'
import { weightFiles, weightNames } from '../../lib/data/weight-files.ts'
import { readWeights } from '../../lib/data/weights.ts'

const temporary = mkdtempSync(join(tmpdir(), 'weights-'))
after(() => rmSync(temporary, { recursive: true }))

describe('the weights of a folder', () => {
  it('are the first that are there of safetensors, its shards, those of torch.save, and its shards', async () => {
    const folder = mkdtempSync(join(temporary, 'all-'))
    const fixtures = join(import.meta.dirname, '../fixtures/torch')
    cpSync(join(fixtures, 'shards'), folder, { recursive: true })
    cpSync(join(fixtures, 'gpt2'), folder, { recursive: true })
    const write = (name: string): void =>
      writeSafetensors(join(folder, name), new Map([[name, { shape: [1], data: Float32Array.of(1) }]]), {
        dtype: 'F32',
      })
    write('model.safetensors')
    write('model-1.safetensors')
    const map = { 'model-1.safetensors': 'model-1.safetensors' }
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
    const found: [string[], string][] = []
    for (const name of weightNames) {
      found.push([weightFiles(folder).map((file) => basename(file)), (await readWeights(folder)).names[0]!])
      rmSync(join(folder, name))
    }
    const shards = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin']
    assert.deepEqual(found, [
      [['model.safetensors'], 'model.safetensors'],
      [['model.safetensors.index.json', 'model-1.safetensors'], 'model-1.safetensors'],
      [['pytorch_model.bin'], 'lm_head.weight'],
      [['pytorch_model.bin.index.json', ...shards], 'lm_head.weight'],
    ])
    const message =
      /none of "model\.safetensors", .*\.index\.json", "pytorch_model\.bin", "pytorch_model\.bin\.index\.json"/
    await assert.rejects(readWeights(folder), { code: 'FILE_MISSING', message })
  })
})

describe('a sharded model', () => {
  const shards = { 'model-1.safetensors': { a: [1, 2], b: [3] }, 'model-2.safetensors': { c: [4] } }
  const places = { a: 'model-1.safetensors', b: 'model-1.safetensors', c: 'model-2.safetensors' }

  it('reads as one', async () => {
    const checkpoint = await readWeights(sharded(places))
    assert.deepEqual(checkpoint.names, ['a', 'b', 'c'])
    assert.deepEqual(checkpoint.tensor('c').data(), Float32Array.of(4))
  })

  const wrong: [string, Record<string, unknown>, string, RegExp][] = [
    ['a tensor that its shard lacks', { ...places, d: 'model-2.safetensors' }, 'WEIGHTS_INDEX', /"d" in "model-2/],
    ['a tensor placed in the wrong shard', { ...places, b: 'model-2.safetensors' }, 'WEIGHTS_INDEX', /"b" in "model-2/],
    ['a tensor that the index forgot', { a: places.a, c: places.c }, 'WEIGHTS_INDEX', /holds tensor "b"/],
    ['a shard that is missing', { ...places, d: 'model-3.safetensors' }, 'FILE_MISSING', /model-3/],
    ['a shard outside its folder', { ...places, a: '../model-1.safetensors' }, 'WEIGHTS_INDEX', /"\.\.\/model-1/],
    ['an empty index', {}, 'WEIGHTS_INDEX', /weight_map/],
  ]
  for (const [what, map, code, message] of wrong) {
    it(`is refused for ${what}`, async () => {
      await assert.rejects(readWeights(sharded(map)), { code, message })
    })
  }

  function sharded(map: Record<string, unknown>): string {
    const folder = mkdtempSync(join(temporary, 'sharded-'))
    for (const [file, tensors] of Object.entries(shards)) {
      const values = Object.entries(tensors).map(
        ([name, list]) => [name, { shape: [list.length], data: Float32Array.from(list) }] as const,
      )
      writeSafetensors(join(folder, file), new Map(values), { dtype: 'F32' })
    }
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))
    return folder
  }
})
