import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'

const KIND = 'ed25519:'

/** A public key as it is written: `ed25519:` and its 32 bytes in base64url, 43 characters. */
export type PublicKey = string & { readonly brand: typeof KIND }

/** A private key, and what it is known by. */
export interface Signer {
  readonly publicKey: PublicKey
  readonly key: KeyObject
}

export interface Keys {
  /** What none of these has signed is not taken; undefined where all is taken. */
  readonly trust: readonly PublicKey[] | undefined
  /** Signs what is pushed. */
  readonly signer: Signer | undefined
}

/** An error says what is wrong and what is expected. The text is not repeated: it may be a private key. */
export function parsePublicKey(text: string): Result<PublicKey, string> {
  const bytes = Buffer.from(text.slice(KIND.length), 'base64url')
  if (bytes.length === 32 && `${KIND}${bytes.toString('base64url')}` === text) return ok(text as PublicKey)
  if (text.includes('PRIVATE KEY'))
    return err('This is a private key: who reads it can sign. Make a new one, and write its public key here.')
  const found = text.startsWith(KIND)
    ? `${text.length - KIND.length} characters that are not one`
    : `what starts with ${JSON.stringify(text.slice(0, 12))}`
  return err(`A public key is \`${KIND}\` and 43 characters, as \`pipeline keygen\` prints it; found ${found}.`)
}

/** The public key of a private or public ed25519 key. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const { x } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
  return `${KIND}${x!}` as PublicKey
}

/**
 * What is signed: a line that says what for, so that a signature of anything else is none; the entry's name, which has
 * its stage and key, so that an entry is none under another name; and its exact bytes, which have the digest of every
 * file. No name has a line break.
 */
const signedBytes = (name: string, text: string): Buffer =>
  Buffer.from(`distil-pipeline remote entry, version 1\n${name}\n${text}`)

/** A signature in base64: 64 bytes, always the same for the same key, name and text. */
export const signEntry = ({ key }: Signer, name: string, text: string): string =>
  sign(null, signedBytes(name, text), key).toString('base64')

export function isSignedBy(publicKey: PublicKey, signature: string, name: string, text: string): boolean {
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.slice(KIND.length) },
    format: 'jwk',
  })
  return verify(null, signedBytes(name, text), key, Buffer.from(signature, 'base64'))
}

/**
 * Where the signature of an entry lies: in a folder beside it, by the entry's digest and the key. So two that push
 * under one name at once never leave the one's entry with the other's signature alone, and each key has its own.
 */
export const signatureName = (name: string, digest: string, publicKey: PublicKey): string =>
  `${signaturesOf(name)}${digest}.${publicKey.slice(KIND.length)}`

export const signaturesOf = (name: string): string => `${name}.sig/`

/** What a name of `signatureName` says; undefined for any other. */
export function parseSignatureName(path: string): { digest: string; publicKey: PublicKey } | undefined {
  const [, digest, bytes] = /\.sig\/([0-9a-f]{64})\.([\w-]{43})$/.exec(path) ?? []
  const key = parsePublicKey(`${KIND}${bytes ?? ''}`)
  return digest !== undefined && key.ok ? { digest, publicKey: key.value } : undefined
}
