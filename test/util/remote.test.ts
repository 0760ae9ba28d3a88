import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRemote, parseRemote } from '../../lib/util/remote.ts'

const sha256 = 'ab'.repeat(32)
const said = (source: string): string => {
  const remote = parseRemote(source)
  return remote.ok ? 'ok' : remote.error
}

describe('a source elsewhere', () => {
  it('is a repository of the hub at a revision', () => {
    const parsed = { site: 'hub', kind: 'models', repository: 'owner/name.v2', revision: 'refs/pr/1' }
    assert.deepEqual(parseRemote('hub:owner/name.v2@refs/pr/1'), { ok: true, value: parsed })
    const set = { site: 'hub', kind: 'datasets', repository: 'owner/set', revision: 'main' }
    assert.deepEqual(parseRemote('hub:datasets/owner/set@main'), { ok: true, value: set })
  })

  for (const source of ['hub:owner/name', 'hub:name@main', 'hub:owner/../name@main', 'hub:o/r@../x', 'hub:o/r@/x']) {
    it(`is refused where it is no repository: ${source}`, () => {
      assert.match(said(source), /Write hub:OWNER\/REPO@REVISION/)
    })
  }

  it('is a file with its digest', () => {
    const value = { site: 'web', url: 'https://example.org/a%20b.txt?v=1', sha256 }
    assert.deepEqual(parseRemote(`https://example.org/a%20b.txt?v=1#sha256=${sha256}`), { ok: true, value })
  })

  it('goes over http: to this machine alone', () => {
    for (const host of ['127.0.0.1:80', 'localhost', '[::1]:8080']) {
      assert.equal(said(`http://${host}/x#sha256=${sha256}`), 'ok')
    }
    for (const host of ['example.org', 'localhost.example.org', '127.0.0.1.example.org', '10.0.0.1']) {
      assert.match(said(`http://${host}/x#sha256=${sha256}`), /not encrypted.*Write https:/)
    }
  })

  const wrong: Readonly<Record<string, RegExp>> = {
    'https://example.org/x': /has no digest, .*#sha256=DIGEST.*`sha256sum FILE`/,
    [`https://example.org/x#sha256=${sha256.slice(1)}`]: /has no digest of 64 hex digits/,
    [`https://example.org/x#sha256=${sha256.toUpperCase()}`]: /has no digest of 64 hex digits/,
    [`https://example.org/x#md5=${sha256}`]: /has no digest of 64 hex digits/,
    [`https://example.org/#sha256=${sha256}`]: /not the address of a file/,
    [`https://#sha256=${sha256}`]: /not the address of a file/,
  }
  for (const [source, message] of Object.entries(wrong)) {
    it(`is refused with what to write: ${source}`, () => {
      assert.match(said(source), message)
    })
  }

  it('holds no password, and none is repeated', () => {
    assert.match(said(`https://me:secret@example.org/x#sha256=${sha256}`), /^(?!.*secret).*password.*recorded/)
  })

  it('is told from a path by its scheme', () => {
    assert.deepEqual(['hub:x', 'http:x', 'https:x', 'file:x', 'https', 'a.b'].map(isRemote), [
      true,
      true,
      true,
      false,
      false,
      false,
    ])
  })
})
