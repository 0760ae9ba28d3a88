import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { splitDocuments } from '../../lib/data/corpus.ts'
import { digestModel } from '../../lib/data/digest.ts'
import { readSafetensors } from '../../lib/data/safetensors.ts'
import { copyModel } from '../../lib/data/model-files.ts'
import { readWeights } from '../../lib/data/weights.ts'
import { readItems } from '../../lib/data/tasks.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import { encodeSplit } from '../../lib/data/tokens.ts'
import { wordsOf } from '../../lib/data/words.ts'

const folder = process.env['PIPELINE_DATA']
if (folder === undefined) throw new Error('PIPELINE_DATA must name the folder of real corpora')
const data = (...names: string[]) => join(folder, ...names)
const temporary = mkdtempSync(join(tmpdir(), 'data-'))
after(() => rmSync(temporary, { recursive: true }))

const tokenizer = await loadTokenizer(data('tokenizer'))
const read = (name: string) => readFileSync(data('wikitext-2', name), 'utf8')

/** Tokens, articles and sha256 of the ids (uint16), the ids from tokenizers 0.22.2 (Python) on the same files. */
const streams: Record<string, [tokens: number, articles: number, sha256: string]> = {
  'wiki.train.raw.head-1MB.txt': [217_565, 59, '502fa2e73d1650e25330228257a665b7ea8e6a2f12e053719979dd2d38297184'],
  'wiki.valid.raw': [249_887, 60, 'ba1fa893453dd6e475c337fb524923709f08be0548dbe27a1fce438b65eab9d8'],
  'wiki.test.raw': [286_221, 60, '7fead09117d65b366de16befafc09887aadaf1bb457f5292ce3bb89f83e929d6'],
}

describe("GPT-2's tokenizer on WikiText-2", () => {
  for (const [name, [tokens, articles, sha256]] of Object.entries(streams)) {
    it(`gives the reference's ids, whole and article by article, and the text back: ${name}`, () => {
      const text = read(name)
      const ids = tokenizer.encode(text)
      assert.equal(ids.length, tokens)
      assert.equal(createHash('sha256').update(Uint16Array.from(ids)).digest('hex'), sha256)
      assert.equal(tokenizer.decode(ids), text)
      const documents = splitDocuments(text, 'article')
      assert.equal(documents.length, articles)
      assert.deepEqual(
        documents.flatMap((article) => tokenizer.encode(article)),
        ids,
      )
    })
  }

  it('keeps the published number of words, however documents are separated', () => {
    for (const [name, words] of [
      ['wiki.valid.raw', 213_886],
      ['wiki.test.raw', 241_211],
    ] as const) {
      for (const separator of ['none', 'eos'] as const) {
        const split = encodeSplit(tokenizer, splitDocuments(read(name), 'article'), { name: 'test', separator })
        assert.equal(wordsOf(tokenizer, split, tokenizer.eos, split.ids.length), words)
      }
    }
  })

  it('is the same from tokenizer.json and from vocab.json with merges.txt', async () => {
    const files = mkdtempSync(join(temporary, 'files-'))
    for (const name of ['vocab.json', 'merges.txt']) cpSync(data('tokenizer', name), join(files, name))
    const other = await loadTokenizer(files)
    assert.deepEqual([other.digest, other.eos, other.vocabSize], [tokenizer.digest, 50256, 50257])
  })
})

describe('HellaSwag', () => {
  const items = readItems(data('hellaswag', 'hellaswag_val.jsonl'), 'hellaswag', 'plain')

  it('is read whole', () => {
    assert.ok(items.ok)
    assert.equal(items.value.length, 10_042)
    const labels = [0, 1, 2, 3].map((label) => items.value.filter((item) => item.label === label).length)
    assert.deepEqual(labels, [2515, 2485, 2584, 2458])
  })

  it('has contexts and endings that may be encoded apart, in all of its 40,168 rows', () => {
    assert.ok(items.ok)
    let rows = 0
    const hash = createHash('sha256')
    for (const { options } of items.value) {
      for (const { context, ending } of options) {
        const head = tokenizer.encode(context)
        const whole = tokenizer.encode(`${context} ${ending}`)
        assert.deepEqual([...head, ...tokenizer.encode(` ${ending}`)], whole)
        hash.update(Uint16Array.from(whole))
        rows++
      }
    }
    assert.equal(rows, 40_168)
    assert.equal(hash.digest('hex'), '8202d4f4e232e069fc3705159a94e915b31ee55480caa8df498f3bfc775bd0fa')
  })
})

describe('real safetensors files', () => {
  it('load: a GPT-2 that transformers saved, with its own tokenizer', async () => {
    const checkpoint = await readWeights(data('models/tiny-gpt2-random'))
    const { names, metadata } = checkpoint
    const tensor = (name: string) => checkpoint.tensor(name)
    assert.equal(metadata.get('format'), 'pt')
    assert.deepEqual(tensor('wte.weight').shape, [21, 2])
    assert.deepEqual(tensor('h.0.attn.c_attn.weight').shape, [2, 6])
    for (const name of names) assert.ok(tensor(name).data().every(Number.isFinite), name)
    const tiny = await loadTokenizer(data('models/tiny-gpt2-random'))
    assert.deepEqual([tiny.vocabSize, tiny.eos], [21, 20])
    assert.deepEqual(tiny.encode(' low newer'), [14, 10, 9, 3, 2, 15])
    assert.match(await digestModel(data('models/tiny-gpt2-random')), /^[0-9a-f]{64}$/)
  })

  it("load: half of GPT-2's own numbers", () => {
    const checkpoint = readSafetensors(data('models/gpt2-124m-fragment/fragment.safetensors'))
    assert.ok(checkpoint.ok)
    assert.equal(checkpoint.value.names.length, 101)
    const wpe = checkpoint.value.tensor('wpe.weight')
    assert.deepEqual([wpe.shape, wpe.dtype], [[1024, 768], 'F16'])
    const published = [-0.01882, -0.19742, 0.00403]
    const first = wpe.data()
    published.forEach((value, at) => assert.ok(Math.abs(first[at]! - value) < 1e-4, `wpe[0][${at}] is ${first[at]}`))
  })

  it('are refused when they are cut short, wherever', async () => {
    const copy = join(temporary, 'cut')
    await copyModel(data('models/tiny-gpt2-random'), copy)
    for (const size of [9_879, 5_000, 100, 8, 3, 0]) {
      truncateSync(join(copy, 'model.safetensors'), size)
      await assert.rejects(readWeights(copy), { code: 'SAFETENSORS_TRUNCATED' }, `${size} bytes`)
    }
  })
})
