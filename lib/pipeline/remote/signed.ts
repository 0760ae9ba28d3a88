import { Failure } from '../../util/failure.ts'
import { sha256 } from '../canonical.ts'
import type { Channel } from './results.ts'
import { isSignedBy, parseSignatureName, signEntry, signatureName, signaturesOf } from './signature.ts'
import type { PublicKey } from './signature.ts'
import { readText, writeText } from './transfer.ts'

/** Writes an entry, which says that something is there; its signature before it, so that it is never seen without. */
export async function writeEntry(channel: Channel, name: string, text: string): Promise<void> {
  const { remote, signal, limit } = channel
  const { signer } = channel.keys
  if (signer !== undefined) {
    const signature = signatureName(name, sha256(text), signer.publicKey)
    await limit(() => writeText(remote, signature, `${signEntry(signer, name, text)}\n`, signal))
  }
  await limit(() => writeText(remote, name, text, signal))
}

/**
 * An entry's text; undefined where there is none. Throws Failure REMOTE_UNTRUSTED for one that no trusted key signed,
 * before anyone looks into it.
 */
export async function readEntry(channel: Channel, name: string): Promise<string | undefined> {
  const { remote, signal, limit } = channel
  const { trust } = channel.keys
  const text = await limit(() => readText(remote, name, signal))
  if (text === undefined || trust === undefined) return text
  for (const key of trust) {
    if (await isSigned(channel, key, name, text)) return text
  }
  throw await untrusted(channel, trust, name, text)
}

async function isSigned(
  { remote, signal, limit }: Channel,
  key: PublicKey,
  name: string,
  text: string,
): Promise<boolean> {
  const signature = await limit(() => readText(remote, signatureName(name, sha256(text), key), signal))
  return signature !== undefined && isSignedBy(key, signature, name, text)
}

async function untrusted(channel: Channel, trust: readonly PublicKey[], name: string, text: string): Promise<Failure> {
  const where = `"${name}" in the remote "${channel.remote.address}"`
  const expected = `expected a signature by ${trust.join(' or ')} (\`trust:\` in pipeline.yaml)`
  const advice =
    'Who has a trusted key makes up for it with `pipeline push`; add a key to `trust:` only if you know whose it is.'
  return new Failure(
    'REMOTE_UNTRUSTED',
    `${where} is not signed by a trusted key: ${expected}, found ${await found(channel, name, text)}. ${advice}`,
    { exitCode: 1 },
  )
}

/** What there is in place of a trusted signature. */
async function found(channel: Channel, name: string, text: string): Promise<string> {
  const names = await signatures(channel, name)
  const own = names.filter(({ digest }) => digest === sha256(text))
  for (const { publicKey } of own) {
    if (await isSigned(channel, publicKey, name, text)) return `one by ${publicKey}`
  }
  if (own.length > 0) return `one in the name of ${own[0]!.publicKey} that does not fit`
  return names.length > 0 ? 'only those of other bytes: it was changed or replaced after it was signed' : 'none'
}

async function signatures({ remote, signal, limit }: Channel, name: string) {
  try {
    const names = await limit(() => remote.list(signaturesOf(name), signal))
    return names.flatMap((path) => parseSignatureName(path) ?? [])
  } catch (error) {
    // who may read may not always list
    if (error instanceof Failure && error.code === 'REMOTE_FAILED') return []
    throw error
  }
}
