import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import {
  isSignedBy,
  parsePublicKey,
  parseSignatureName,
  publicKeyOf,
  signEntry,
  signatureName,
} from '../../../lib/pipeline/remote/signature.ts'
import type { Signer } from '../../../lib/pipeline/remote/signature.ts'

function makeSigner(): Signer {
  const { privateKey: key } = generateKeyPairSync('ed25519')
  return { key, publicKey: publicKeyOf(key) }
}

const NAME = `results/make/${'a'.repeat(64)}.json`
const TEXT = '{"version":1}\n'

test('a signature holds for its key, name and bytes, and for no other', () => {
  const [signer, other] = [makeSigner(), makeSigner()]
  const signature = signEntry(signer, NAME, TEXT)
  const holds = { key: signer.publicKey, signature, name: NAME, text: TEXT }
  const wrongs: readonly Partial<typeof holds>[] = [
    { key: other.publicKey },
    { name: NAME.replace('make', 'join') },
    { name: NAME.replace('aaa', 'aab') },
    { name: `experiments/${'a'.repeat(64)}.json` },
    { text: TEXT.replace('1', '2') },
    { text: '' },
    // the border between name and text
    { name: '', text: `${NAME}\n${TEXT}` },
    { signature: signEntry(other, NAME, TEXT) },
    { signature: signature.slice(4) },
    { signature: '' },
    { signature: 'no signature' },
  ]
  const check = ({ key, signature: sent, name, text }: typeof holds): boolean => isSignedBy(key, sent, name, text)
  assert.equal(check(holds), true)
  for (const wrong of wrongs) assert.equal(check({ ...holds, ...wrong }), false, JSON.stringify(wrong))
})

test('what is signed says what for: a signature of the bare bytes is none', () => {
  const { key, publicKey } = makeSigner()
  for (const bytes of [TEXT, `${NAME}\n${TEXT}`]) {
    assert.equal(isSignedBy(publicKey, sign(null, Buffer.from(bytes), key).toString('base64'), NAME, TEXT), false)
  }
  const signed = Buffer.from(`distil-pipeline remote entry, version 1\n${NAME}\n${TEXT}`)
  const signature = Buffer.from(signEntry({ key, publicKey }, NAME, TEXT), 'base64')
  assert.ok(verify(null, signed, createPublicKey(key), signature), 'any other program can check it')
})

test('a public key has one form, and is read back from it', () => {
  const { publicKey } = makeSigner()
  assert.match(publicKey, /^ed25519:[\w-]{43}$/)
  assert.deepEqual(parsePublicKey(publicKey), { ok: true, value: publicKey })
  const name = signatureName(NAME, 'b'.repeat(64), publicKey)
  assert.deepEqual(parseSignatureName(name), { digest: 'b'.repeat(64), publicKey })
  assert.equal(parseSignatureName(name.slice(0, -1)), undefined)
})

const KEY = 'ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
for (const [text, said] of Object.entries({
  '': /starts with ""/,
  [KEY.slice(8)]: /starts with "11qYAYKxCrfV"/,
  [KEY.slice(0, -1)]: /found 42 characters/,
  [`${KEY}A`]: /found 44 characters/,
  [`${KEY}=`]: /found 44 characters/,
  [` ${KEY}`]: /starts with " ed25519/,
  // the last character has two bits that say nothing
  [KEY.replace(/o$/, 'p')]: /found 43 characters that are not one/,
  [KEY.replace('_', '/')]: /found 43 characters/,
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI': /starts with "ssh-ed25519 "/,
  '-----BEGIN PRIVATE KEY-----\nsecret': /^This is a private key/,
})) {
  test(`${JSON.stringify(text)} is no public key`, () => {
    const key = parsePublicKey(text)
    assert.match(key.ok ? '' : key.error, said)
    assert.doesNotMatch(key.ok ? '' : key.error, /secret/)
  })
}
