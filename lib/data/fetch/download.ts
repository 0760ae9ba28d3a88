import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { createReadStream, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../../util/error-code.ts'
import { Failure } from '../../util/failure.ts'
import { acquire } from '../../util/lock.ts'
import { get } from './http.ts'
import type { Request } from './http.ts'

export interface RemoteFile {
  readonly url: string
  /** Undefined where only the server knows it. */
  readonly size: number | undefined
  /** The name of its content: sha256, or the git blob id (sha1) of a small file of the hub. */
  readonly digest: string
}

export interface DownloadHooks {
  /** Bytes of this file that are there, those of an earlier try among them, of how many if that is known. */
  readonly onBytes: (done: number, size: number | undefined) => void
  readonly log: (message: string) => void
}

/** Tries that bring nothing, one after another, before it is given up. */
const fruitless = 4

/**
 * Fetches a file to where it stays. What a broken connection or a killed run left in `.incomplete` is gone on with; the
 * digest of all of it is checked before it is renamed into place. Of several processes that want it one fetches, and
 * the others wait and share. Throws Failure …_DIGEST, DISK_FULL, WRITE_FAILED and what `get` throws.
 */
export async function download(
  file: RemoteFile,
  target: string,
  request: Request,
  hooks: DownloadHooks,
): Promise<void> {
  if (!existsSync(target)) await fetchOnce(file, target, request, hooks)
  const { size } = statSync(target)
  hooks.onBytes(size, size)
}

async function fetchOnce(file: RemoteFile, target: string, request: Request, hooks: DownloadHooks): Promise<void> {
  const { signal, what } = request
  const wait = (holder: string): void => hooks.log(`waits for ${holder}, which fetches ${what}`)
  try {
    const lock = await acquire(dirname(target), file.digest, signal, wait)
    try {
      if (!existsSync(target)) await fetchWhole(file, target, request, hooks)
    } finally {
      lock.release()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof Failure || errorCode(error) === undefined ? error : notWritten(error)
  }
}

async function fetchWhole(file: RemoteFile, target: string, request: Request, hooks: DownloadHooks): Promise<void> {
  const incomplete = `${target}.incomplete`
  const isResumed = existsSync(incomplete)
  await fill(incomplete, file, request, hooks)
  const found = await digestOf(incomplete, file.digest)
  if (found === file.digest) {
    renameSync(incomplete, target)
    return
  }
  rmSync(incomplete)
  // what was left may have been another file's
  if (isResumed) return fetchWhole(file, target, request, hooks)
  const { code, advice } = request.site
  const message = `${request.what} came with other bytes than expected: its digest must be ${file.digest}, and is ${found}; nothing of it is kept. ${advice.changed}`
  throw new Failure(`${code}_DIGEST`, message, { exitCode: 1 })
}

/** Appends to the file until it has all its bytes. */
async function fill(incomplete: string, file: RemoteFile, request: Request, hooks: DownloadHooks): Promise<void> {
  const handle = await open(incomplete, existsSync(incomplete) ? 'r+' : 'w+')
  try {
    let { size } = file
    let done = statSync(incomplete).size
    if (size !== undefined && done > size) done = 0
    for (let idle = 0; size === undefined || done < size;) {
      const before = done
      const received: Received = await receive(handle, { ...file, size }, done, request, hooks)
      done = received.done
      size ??= received.size
      idle = done > before ? 0 : idle + 1
      if (idle < fruitless || done === size) continue
      const message = `The connection for ${request.what} broke ${fruitless} times without a byte, at ${done} of ${size ?? 'unknown'}. Run again: what was fetched is kept.`
      throw new Failure(`${request.site.code}_UNREACHABLE`, message, { exitCode: 1 })
    }
    await handle.truncate(size)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

interface Received {
  /** How many bytes are there now. */
  readonly done: number
  /** How many there are of the whole file, if that is known by now. */
  readonly size: number | undefined
}

/** One request's bytes, from `done` on; a server that knows no ranges begins anew. */
async function receive(
  handle: FileHandle,
  { url, size: known }: RemoteFile,
  done: number,
  request: Request,
  { onBytes }: DownloadHooks,
): Promise<Received> {
  const response = await get(url, request, done)
  if (response.status === 416) {
    await response.body?.cancel()
    return { done, size: done } // the digest tells whether that is all of it
  }
  const part = response.status === 206 ? partOf(response.headers) : { from: 0, size: lengthOf(response.headers) }
  const size = known ?? part.size
  if (part.from !== done && part.from !== 0) {
    await response.body?.cancel()
    return { done, size }
  }
  let at = part.from
  try {
    for await (const chunk of response.body ?? []) {
      const bytes = (chunk as Uint8Array).subarray(0, size === undefined ? undefined : size - at)
      await write(handle, bytes, at)
      at += bytes.length
      onBytes(at, size)
    }
    return { done: at, size: size ?? at }
  } catch (error) {
    request.signal.throwIfAborted()
    if (error instanceof Failure) throw error
    return { done: at, size } // the connection broke: the next request goes on from here
  }
}

/** `bytes 100-999/1000`; the whole size may be `*`. */
function partOf(headers: Headers): { readonly from: number; readonly size: number | undefined } {
  const [, from, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
  return { from: Number(from), size: size === undefined || size === '*' ? undefined : Number(size) }
}

/** Where the server compresses all the same, its length is not that of the content. */
function lengthOf(headers: Headers): number | undefined {
  const length = headers.get('content-length')
  return length === null || headers.has('content-encoding') ? undefined : Number(length)
}

async function write(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) {
      done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
  } catch (cause) {
    throw notWritten(cause)
  }
}

function notWritten(cause: unknown): Failure {
  const code = errorCode(cause) ?? String(cause)
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  const message = isFull
    ? 'The disk is full. Make room, or move the cache by HF_HOME, and run again: what was fetched is kept.'
    : `The cache could not be written: ${code}. Give a folder that can be by HF_HOME.`
  return new Failure(isFull ? 'DISK_FULL' : 'WRITE_FAILED', message, { exitCode: 1, cause })
}

/** sha256; or git's blob id, sha1 over a header and the content. */
async function digestOf(path: string, { length }: string): Promise<string> {
  const header = `blob ${statSync(path).size}\0`
  const hash: Hash = length === 64 ? createHash('sha256') : createHash('sha1').update(header)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
