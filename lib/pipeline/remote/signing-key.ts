import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { errorCode } from '../../util/error-code.ts'
import { Failure } from '../../util/failure.ts'
import { messageOf } from '../files.ts'
import type { Pipeline } from '../pipeline.ts'
import { publicKeyOf } from './signature.ts'
import type { Keys, PublicKey, Signer } from './signature.ts'

/** Names the file of the private key that signs what is pushed. */
const VARIABLE = 'PIPELINE_SIGNING_KEY'

/** Writes a new private key that only its owner can read, and gives its public key. Throws a Failure. */
export function makeSigningKey(file: string): PublicKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  try {
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { flag: 'wx', mode: 0o600, flush: true })
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw alreadyThere(file)
    if (errorCode(error) === 'ENOSPC') rmSync(file, { force: true })
    throw new Failure('KEYGEN_FAILED', `"${file}" cannot be written: ${messageOf(error)}`, { cause: error })
  }
  return publicKeyOf(privateKey)
}

function alreadyThere(file: string): Failure {
  const known = ((): string => {
    try {
      return ` It holds the private key of ${readKey(file).publicKey}.`
    } catch {
      return ''
    }
  })()
  return new Failure('KEYGEN_EXISTS', `"${file}" is there already, and stays as it is.${known} Name another file.`)
}

/** The key that the environment names; undefined where it names none. Throws Failure SIGNING_KEY_INVALID. */
export function readSigner(env: NodeJS.ProcessEnv): Signer | undefined {
  const file = env[VARIABLE] ?? ''
  return file === '' ? undefined : readKey(file)
}

function readKey(file: string): Signer {
  const invalid = (what: string): Failure =>
    new Failure(
      'SIGNING_KEY_INVALID',
      `${VARIABLE} names "${file}", which ${what} Expected the file of a private key, as \`pipeline keygen FILE\` writes it.`,
    )
  const text = ((): Buffer => {
    try {
      return readFileSync(file)
    } catch (error) {
      throw invalid(`cannot be read: ${messageOf(error)}.`)
    }
  })()
  const key = ((): Signer['key'] => {
    try {
      return createPrivateKey(text)
    } catch {
      // what the library says of it may quote it
      throw invalid('holds no private key in PEM that can be read without a password.')
    }
  })()
  if (key.asymmetricKeyType !== 'ed25519') throw invalid(`holds a key of ${key.asymmetricKeyType ?? 'another kind'}.`)
  return { key, publicKey: publicKeyOf(key) }
}

/**
 * Why what these keys push would be of no use: where only signed entries are taken, one without a trusted signature is
 * refused by all, and could take the place of one that has it.
 */
export function unsignable({ trust, signer }: Keys): Failure | undefined {
  if (trust === undefined || (signer !== undefined && trust.includes(signer.publicKey))) return undefined
  const refused = 'what is pushed so would be refused by all who have its `trust:`.'
  return signer === undefined
    ? new Failure(
        'SIGNING_KEY_MISSING',
        `pipeline.yaml trusts signed results alone, and ${VARIABLE} is not set: ${refused} Set it to the file of a private key.`,
      )
    : new Failure(
        'SIGNING_KEY_UNTRUSTED',
        `${VARIABLE} signs as ${signer.publicKey}, which pipeline.yaml does not trust: ${refused} Expected ${trust.join(' or ')}.`,
      )
}

/** Throws a Failure where nothing useful can be pushed. */
export function keysToPush({ trust }: Pipeline): Keys {
  const keys = { trust, signer: readSigner(process.env) }
  const refused = unsignable(keys)
  if (refused !== undefined) throw refused
  return keys
}

export const keysToPull = ({ trust }: Pick<Pipeline, 'trust'>): Keys => ({ trust, signer: undefined })
