import assert from 'node:assert/strict'
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { digestModel, digestParts } from '../../lib/data/digest.ts'
import { guard, publishFile } from '../../lib/data/publish.ts'
import { writeSafetensors } from '../../lib/data/safetensors-write.ts'
import { copyModel } from '../../lib/data/model-files.ts'
import { fetchFile, fetchFolder, pickNamed } from '../../lib/data/sources.ts'

const temporary = mkdtempSync(join(tmpdir(), 'sources-'))
after(() => rmSync(temporary, { recursive: true }))

const hooks = { signal: new AbortController().signal, onBytes: () => undefined, log: () => undefined }

describe('a source', () => {
  it('is a folder on this machine, or a file there', async () => {
    const file = join(temporary, 'items.jsonl')
    writeFileSync(file, '{}')
    assert.equal(await fetchFolder(temporary, pickNamed(), hooks), temporary)
    assert.equal(await fetchFile(temporary, 'items.jsonl', hooks), file)
    assert.equal(await fetchFile(file, 'other.jsonl', hooks), file)
    await assert.rejects(fetchFolder(file, pickNamed(), hooks), { code: 'SOURCE_FILE', message: /SHA256SUMS/ })
  })

  it('is refused when it is not there', async () => {
    await assert.rejects(fetchFolder(join(temporary, 'no'), pickNamed(), hooks), { code: 'FILE_MISSING' })
    await assert.rejects(fetchFile(temporary, 'no', hooks), { code: 'FILE_MISSING', message: /no"/ })
  })
})

describe('copying a model', () => {
  it('takes what belongs to it, and nothing else that lies there', async () => {
    const from = model('whole', [1, 2])
    for (const name of ['tokenizer.json', 'merges.txt', 'README.md', 'pytorch_model.bin', 'optimizer.safetensors']) {
      writeFileSync(join(from, name), name)
    }
    const to = join(temporary, 'copy')
    await copyModel(from, to)
    assert.deepEqual(readdirSync(to).sort(), ['config.json', 'merges.txt', 'model.safetensors', 'tokenizer.json'])
    assert.deepEqual(readFileSync(join(to, 'model.safetensors')), readFileSync(join(from, 'model.safetensors')))
  })

  it('takes the weights of torch.save, in shards too, where there are no others', async () => {
    for (const name of ['gpt2', 'shards']) {
      const from = join(import.meta.dirname, '../fixtures/torch', name)
      const to = join(temporary, `copy-${name}`)
      await copyModel(from, to)
      assert.deepEqual(readdirSync(to), readdirSync(from))
      for (const file of readdirSync(from))
        assert.deepEqual(readFileSync(join(to, file)), readFileSync(join(from, file)))
    }
  })

  it('refuses damaged weights before anything is copied', async () => {
    const from = model('cut', [1, 2])
    const weights = join(from, 'model.safetensors')
    writeFileSync(weights, readFileSync(weights).subarray(0, -1))
    await assert.rejects(copyModel(from, join(temporary, 'never')), { code: 'SAFETENSORS_TRUNCATED' })
    assert.ok(!readdirSync(temporary).includes('never'))
  })

  it('refuses a model without its configuration', async () => {
    const from = model('bare', [1, 2])
    rmSync(join(from, 'config.json'))
    await assert.rejects(copyModel(from, join(temporary, 'bare-copy')), {
      code: 'FILE_MISSING',
      message: /config\.json/,
    })
  })
})

describe('digests', () => {
  it('of a model are of its configuration and weights, not of where it lies', async () => {
    const [one, same, other] = [model('d1', [1, 2]), model('d2', [1, 2]), model('d3', [2, 1])]
    assert.equal(await digestModel(same), await digestModel(one))
    assert.notEqual(await digestModel(other), await digestModel(one))
    writeFileSync(join(same, 'config.json'), '{"n_head":2}')
    assert.notEqual(await digestModel(same), await digestModel(one))
  })

  it('of a model are of its weights in whatever form', async () => {
    const folder = join(temporary, 'd4')
    cpSync(join(import.meta.dirname, '../fixtures/torch/shards'), folder, { recursive: true })
    const before = await digestModel(folder)
    const shard = join(folder, 'pytorch_model-00002-of-00002.bin')
    const bytes = readFileSync(shard)
    bytes[bytes.length - 100]! ^= 1
    writeFileSync(shard, bytes)
    assert.notEqual(await digestModel(folder), before)
  })

  it('of parts do not let one part run into the next', () => {
    assert.notEqual(digestParts(['ab', 'c']), digestParts(['a', 'bc']))
    assert.notEqual(digestParts(['ab']), digestParts(['ab', '']))
  })
})

describe('publishing a file', () => {
  it('leaves the old one and no draft when writing it fails half way', () => {
    const folder = mkdtempSync(join(temporary, 'publish-'))
    const file = join(folder, 'file')
    publishFile(file, (append) => append(Buffer.from('old')))
    const fail = () =>
      publishFile(file, (append) => {
        append(Buffer.from('new'))
        throw new Error('half way')
      })
    assert.throws(fail, /half way/)
    assert.deepEqual([readFileSync(file, 'utf8'), readdirSync(folder)], ['old', ['file']])
  })

  it('says that the disk is full, and that nothing was published', () => {
    const full = openSync('/dev/full', 'w')
    assert.throws(() => guard('weights', () => writeSync(full, 'x')), {
      code: 'DISK_FULL',
      exitCode: 1,
      message: /"weights".*not published/,
    })
    closeSync(full)
  })

  it('names the file that cannot be written', () => {
    const file = join(temporary, 'no-such-folder', 'file')
    assert.throws(() => publishFile(file, () => undefined), { code: 'WRITE_FAILED', message: /no-such-folder.*ENOENT/ })
  })
})

function model(name: string, values: number[]): string {
  const folder = join(temporary, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'config.json'), '{"n_head":1}')
  const data = Float32Array.from(values)
  writeSafetensors(join(folder, 'model.safetensors'), new Map([['w', { shape: [data.length], data }]]), {
    dtype: 'F32',
  })
  return folder
}
