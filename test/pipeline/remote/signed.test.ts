import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { sha256 } from '../../../lib/pipeline/canonical.ts'
import { FileRemote } from '../../../lib/pipeline/remote/file-remote.ts'
import { remoteFailure } from '../../../lib/pipeline/remote/remote.ts'
import type { Content } from '../../../lib/pipeline/remote/remote.ts'
import type { Channel } from '../../../lib/pipeline/remote/results.ts'
import { makeChannel } from '../../../lib/pipeline/remote/session.ts'
import { publicKeyOf, signatureName } from '../../../lib/pipeline/remote/signature.ts'
import type { Keys, Signer } from '../../../lib/pipeline/remote/signature.ts'
import { readEntry, writeEntry } from '../../../lib/pipeline/remote/signed.ts'
import { writeText } from '../../../lib/pipeline/remote/transfer.ts'

const { signal } = new AbortController()
const NAME = `results/make/${'a'.repeat(64)}.json`
const OTHER = `results/join/${'a'.repeat(64)}.json`

function makeSigner(): Signer {
  const { privateKey: key } = generateKeyPairSync('ed25519')
  return { key, publicKey: publicKeyOf(key) }
}
const [signer, other] = [makeSigner(), makeSigner()]

/** A folder that says in which order it is written, and may refuse to be listed. */
class Told extends FileRemote {
  readonly written: string[] = []
  lists = true

  override async write(name: string, content: Content, stop: AbortSignal): Promise<void> {
    await super.write(name, content, stop)
    this.written.push(name)
  }

  override list(prefix: string): Promise<string[]> {
    return this.lists ? super.list(prefix) : Promise.reject(remoteFailure(this.address, 'cannot be listed'))
  }
}

function makeRemote(context: TestContext): Told {
  const folder = mkdtempSync(join(tmpdir(), 'signed-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return new Told({ kind: 'file', text: 'file:share', folder })
}

const channelTo = (remote: Told, keys: Partial<Keys>): Channel =>
  makeChannel(remote, { trust: undefined, signer: undefined, ...keys }, signal)

const TRUST = { trust: [signer.publicKey] }

test('an entry is written after its signature, and then read by who trusts the key', async (t) => {
  const remote = makeRemote(t)
  await writeEntry(channelTo(remote, { signer }), NAME, 'text')
  assert.deepEqual(remote.written, [signatureName(NAME, sha256('text'), signer.publicKey), NAME])
  assert.equal(await readEntry(channelTo(remote, TRUST), NAME), 'text')
  assert.equal(await readEntry(channelTo(remote, TRUST), OTHER), undefined)
  assert.equal(await readEntry(channelTo(remote, {}), NAME), 'text')
})

test('without a key nothing is signed, and who trusts none takes it', async (t) => {
  const remote = makeRemote(t)
  await writeEntry(channelTo(remote, {}), NAME, 'text')
  assert.deepEqual(remote.written, [NAME])
  assert.equal(await readEntry(channelTo(remote, {}), NAME), 'text')
})

test('two that push at once, each its own bytes, leave what is trusted whichever came last', async (t) => {
  const remote = makeRemote(t)
  const texts = Array.from({ length: 8 }, (_, index) => `text ${index}`)
  await Promise.all(texts.map((text) => writeEntry(channelTo(remote, { signer }), NAME, text)))
  for (const text of texts) {
    await writeText(remote, NAME, text, signal)
    assert.equal(await readEntry(channelTo(remote, TRUST), NAME), text)
  }
})

test('each key has its own signature, so that a new key takes nothing from who trusts the old one', async (t) => {
  const remote = makeRemote(t)
  for (const each of [signer, other]) await writeEntry(channelTo(remote, { signer: each }), NAME, 'text')
  for (const trust of [[signer], [other], [makeSigner(), other]]) {
    assert.equal(await readEntry(channelTo(remote, { trust: trust.map((one) => one.publicKey) }), NAME), 'text')
  }
})

const put = (remote: Told, key: Signer, signature: string): Promise<void> =>
  writeText(remote, signatureName(NAME, sha256('text'), key.publicKey), signature, signal)

async function copied(remote: Told, from: string, key: Signer): Promise<void> {
  await writeEntry(channelTo(remote, { signer: key }), from, 'text')
  const body = await remote.read(signatureName(from, sha256('text'), key.publicKey))
  await put(remote, signer, Buffer.concat(await body!.toArray()).toString())
}

const DOES_NOT_FIT = `one in the name of ${signer.publicKey} that does not fit`
const WRONGS: Readonly<Record<string, readonly [(remote: Told) => unknown, string]>> = {
  'no signature': [() => undefined, 'none'],
  'a signature of another key': [
    (remote) => writeEntry(channelTo(remote, { signer: other }), NAME, 'text'),
    `one by ${other.publicKey}`,
  ],
  'a signature of other bytes': [
    (remote) => writeEntry(channelTo(remote, { signer }), NAME, 'before'),
    'only those of other bytes: it was changed or replaced after it was signed',
  ],
  'the signature of another key under the name of a trusted one': [
    (remote) => copied(remote, NAME, other),
    // what the other key signed is there too, and it is that key's
    `one by ${other.publicKey}`,
  ],
  'the signature of the same bytes under another name': [(remote) => copied(remote, OTHER, signer), DOES_NOT_FIT],
  'what is no signature': [(remote) => put(remote, signer, 'x'), DOES_NOT_FIT],
  'an empty signature': [(remote) => put(remote, signer, ''), DOES_NOT_FIT],
  'no right to list': [(remote) => (remote.lists = false), 'none'],
}
for (const [what, [make, found]] of Object.entries(WRONGS)) {
  test(`an entry with ${what} is refused`, async (t) => {
    const remote = makeRemote(t)
    await make(remote)
    await writeText(remote, NAME, 'text', signal)
    await assert.rejects(readEntry(channelTo(remote, TRUST), NAME), {
      code: 'REMOTE_UNTRUSTED',
      exitCode: 1,
      message: `"${NAME}" in the remote "file:share" is not signed by a trusted key: expected a signature by ${signer.publicKey} (\`trust:\` in pipeline.yaml), found ${found}. Who has a trusted key makes up for it with \`pipeline push\`; add a key to \`trust:\` only if you know whose it is.`,
    })
  })
}
