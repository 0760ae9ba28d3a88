import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { CubinCache } from '../../../lib/engine/cuda/cubin-cache.ts'

const root = mkdtempSync(join(tmpdir(), 'cubins-'))
after(() => rmSync(root, { recursive: true }))
const cubin = Uint8Array.from({ length: 1000 }, (_, i) => i % 251)

describe('the cache of compiled kernels', () => {
  it('gives back what was written, and leaves nothing else', () => {
    const folder = join(root, 'a', 'b')
    const cache = new CubinCache(folder)
    const file = cache.file(['source', 'sm_90'], 'cubin')
    assert.equal(cache.read(file), undefined)
    cache.write(file, cubin)
    assert.deepEqual(Uint8Array.from(cache.read(file)!), cubin)
    assert.deepEqual(readdirSync(folder), [basename(file)])
  })

  it('keeps apart what differs in any part, or in where one part ends', () => {
    const cache = new CubinCache(root)
    const files = [['ab', 'c'], ['a', 'bc'], ['abc'], ['ab', 'd']].map((parts) => cache.file(parts, 'cubin'))
    assert.equal(new Set(files).size, 4)
  })

  it('does not take a file for whole that was cut short or changed', () => {
    const cache = new CubinCache(join(root, 'cut'))
    const file = cache.file(['source'], 'cubin')
    cache.write(file, cubin)
    for (const size of [1031, 500, 32, 10, 0]) {
      truncateSync(file, size)
      assert.equal(cache.read(file), undefined, `${size} bytes`)
    }
    writeFileSync(file, Buffer.alloc(1032))
    assert.equal(cache.read(file), undefined)
  })
})
