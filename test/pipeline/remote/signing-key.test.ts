import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { publicKeyOf } from '../../../lib/pipeline/remote/signature.ts'
import { makeSigningKey, readSigner } from '../../../lib/pipeline/remote/signing-key.ts'

function fileIn(context: TestContext, text?: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'signing-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'key.pem')
  if (text !== undefined) writeFileSync(file, text)
  return file
}

test('a new key is PKCS#8 in PEM, its owner alone can read it, and it is read back', (t) => {
  const file = fileIn(t)
  const publicKey = makeSigningKey(file)
  assert.match(readFileSync(file, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n[\w+/=]{64}\n-----END PRIVATE KEY-----\n$/)
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(publicKeyOf(createPrivateKey(readFileSync(file))), publicKey)
  assert.equal(readSigner({ PIPELINE_SIGNING_KEY: file })?.publicKey, publicKey)
  assert.notEqual(makeSigningKey(fileIn(t)), publicKey)
})

test('a key that is there stays, and its public key is said', (t) => {
  const file = fileIn(t)
  const publicKey = makeSigningKey(file)
  const before = readFileSync(file, 'utf8')
  assert.throws(() => makeSigningKey(file), {
    code: 'KEYGEN_EXISTS',
    message: `"${file}" is there already, and stays as it is. It holds the private key of ${publicKey}. Name another file.`,
  })
  assert.equal(readFileSync(file, 'utf8'), before)
  const other = fileIn(t, 'mine')
  assert.throws(() => makeSigningKey(other), { code: 'KEYGEN_EXISTS', message: /stays as it is\. Name another file/ })
  assert.equal(readFileSync(other, 'utf8'), 'mine')
  assert.throws(() => makeSigningKey(join(other, 'below')), { code: 'KEYGEN_FAILED', exitCode: 2 })
})

const pem = { format: 'pem', type: 'pkcs8' } as const
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const WRONGS: Readonly<Record<string, readonly [string | undefined, RegExp]>> = {
  'no file': [undefined, /cannot be read: ENOENT/],
  'another text': ['hunter2', /holds no private key in PEM/],
  'a public key': [publicKey.export({ format: 'pem', type: 'spki' }).toString(), /holds no private key in PEM/],
  'a key with a password': [
    privateKey.export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
    /without a password/,
  ],
  'a key of another kind': [generateKeyPairSync('x25519').privateKey.export(pem).toString(), /holds a key of x25519/],
}
for (const [what, [text, said]] of Object.entries(WRONGS)) {
  test(`${what} is no signing key, and its content is not told`, (t) => {
    const file = fileIn(t, text)
    assert.throws(
      () => readSigner({ PIPELINE_SIGNING_KEY: file }),
      (error: Error & { readonly code: string; readonly exitCode: number }) => {
        assert.deepEqual([error.code, error.exitCode], ['SIGNING_KEY_INVALID', 2])
        assert.match(error.message, said)
        assert.doesNotMatch(error.message, /hunter2/)
        return true
      },
    )
  })
}

test('without the variable, or with an empty one, nothing is signed', () => {
  assert.deepEqual([readSigner({}), readSigner({ PIPELINE_SIGNING_KEY: '' })], [undefined, undefined])
})
