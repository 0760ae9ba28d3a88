import { createReadStream, createWriteStream } from 'node:fs'
import { Readable, pipeline as pipe } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import { messageOf } from '../files.ts'
import { storeFailure } from '../store-failure.ts'
import { Checked } from './checked.ts'
import type { Expected } from './checked.ts'
import { remoteDamage, remoteFailure } from './remote.ts'
import type { Content, Remote } from './remote.ts'

/** Equal files have one name, whatever results they are in. */
export const objectName = (digest: Digest): string => `objects/${digest.slice(0, 2)}/${digest}`

const ATTEMPTS = 3
const PAUSE_MS = 200
/** A transfer in which nothing arrives for so long has failed. */
const IDLE_MS = 20_000

/**
 * Writes an object into a file; what breaks off or arrives otherwise than expected is asked for again. Throws Failure
 * REMOTE_DAMAGED for an object that is missing or stays wrong, REMOTE_FAILED for a remote that cannot be read.
 */
export async function download(
  remote: Remote,
  expected: Expected,
  to: { readonly path: string; readonly mode: number },
  signal: AbortSignal,
): Promise<void> {
  const name = objectName(expected.sha256)
  const there = await receive(remote, name, signal, (bytes, abort) => {
    const checked = new Checked(expected, (found) => remoteDamage(remote.address, name, `holds ${found}.`))
    return pipeline(bytes, checked, createWriteStream(to.path, { mode: to.mode }), { signal: abort })
  })
  if (!there) throw remoteDamage(remote.address, name, 'is missing.')
}

/** The text under a name; undefined where there is none. */
export async function readText(remote: Remote, name: string, signal: AbortSignal): Promise<string | undefined> {
  const text = { value: '' }
  const there = await receive(remote, name, signal, async (bytes) => {
    const parts: Uint8Array[] = []
    for await (const part of bytes) parts.push(part)
    text.value = Buffer.concat(parts).toString('utf8')
  })
  return there ? text.value : undefined
}

type Take = (bytes: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<void>

/** Gives an object's bytes to `take`, from their beginning after each failure; false where there is no object. */
async function receive(remote: Remote, name: string, signal: AbortSignal, take: Take): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    // what cannot even be asked for was asked for several times by the remote's own client
    const body = await remote.read(name, signal)
    if (body === undefined) return false
    try {
      await watched(body, signal, take)
      return true
    } catch (error) {
      signal.throwIfAborted()
      const failure = bodyFailure(remote, name, error)
      if (attempt === ATTEMPTS) throw failure
    }
    await delay(PAUSE_MS * 2 ** attempt, undefined, { signal })
  }
}

/** Ends a transfer that stands still. */
async function watched(body: Readable, signal: AbortSignal, take: Take): Promise<void> {
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(new Error(`nothing arrived for ${IDLE_MS / 1000} s`)), IDLE_MS)
  const stop = (): void => void body.destroy(stalled.signal.reason as Error)
  stalled.signal.addEventListener('abort', stop)
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const part of body as AsyncIterable<Uint8Array>) {
      timer.refresh()
      yield part
    }
  }
  try {
    await take(bytes(), AbortSignal.any([signal, stalled.signal]))
  } finally {
    clearTimeout(timer)
    body.destroy()
  }
}

/** A full disk here is thrown at once: to ask again would not help. */
function bodyFailure(remote: Remote, name: string, error: unknown): Failure {
  if (error instanceof Failure) return error
  const local = ((): Failure | undefined => {
    try {
      return storeFailure(error, `"${name}" was fetched`)
    } catch {
      return undefined
    }
  })()
  if (local !== undefined) throw local
  return remoteFailure(remote.address, `broke off in "${name}": ${messageOf(error)}`, error)
}

/** Writes a file as the object of its content, unless it is there; true if it was written. */
export async function upload(
  remote: Remote,
  file: string,
  expected: Expected,
  signal: AbortSignal,
  renew = false,
): Promise<boolean> {
  const name = objectName(expected.sha256)
  if (!renew && (await remote.size(name, signal)) === expected.size) return false
  await remote.write(name, fileContent(file, expected), signal)
  return true
}

function fileContent(file: string, expected: Expected): Content {
  const wrong = (found: string): Failure =>
    new Failure(
      'RESULT_DAMAGED',
      `"${file}" holds ${found}, so that it is not pushed. \`pipeline verify\` says more.`,
      {
        exitCode: 1,
      },
    )
  const open = (): Readable => {
    const checked = new Checked(expected, wrong)
    // an error of either destroys both
    pipe(createReadStream(file), checked, () => undefined)
    return checked
  }
  return { size: expected.size, open }
}

export async function writeText(remote: Remote, name: string, text: string, signal: AbortSignal): Promise<void> {
  const bytes = Buffer.from(text)
  await remote.write(name, { size: bytes.length, open: () => Readable.from([bytes]) }, signal)
}
