import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { hubGet } from './http.ts'
import type { HubRequest } from './http.ts'
import type { RemoteFile } from './repository.ts'

export interface DownloadHooks {
  readonly signal: AbortSignal
  /** Bytes of this file that are there, those of an earlier try among them. */
  readonly onBytes: (done: number) => void
}

/** Tries that bring nothing, one after another, before it is given up. */
const fruitless = 4

/**
 * Fetches a file to where its content's name puts it. What a broken connection or a killed run left in `.incomplete` is
 * gone on with; the digest of all of it is checked before it is renamed into place.
 * Throws Failure HUB_DIGEST and what `hubGet` throws.
 */
export async function download(
  url: string,
  file: RemoteFile,
  blob: string,
  request: Omit<HubRequest, 'from'>,
  hooks: DownloadHooks,
): Promise<void> {
  if (existsSync(blob)) {
    hooks.onBytes(file.size)
    return
  }
  mkdirSync(dirname(blob), { recursive: true })
  const incomplete = `${blob}.incomplete`
  for (const isLast of [false, true]) {
    await fill(incomplete, url, file, request, hooks)
    const found = await digestOf(incomplete, file)
    if (found === file.digest) {
      renameSync(incomplete, blob)
      return
    }
    rmSync(incomplete)
    if (!isLast) continue
    const message = `"${file.path}" of "${request.what}" came twice with other bytes than the hub announced: expected ${file.digest.slice(0, 16)}…, found ${found.slice(0, 16)}…. A proxy may change it; it is not kept.`
    throw new Failure('HUB_DIGEST', message, { exitCode: 1 })
  }
}

/** Appends to the file until it has all its bytes. */
async function fill(
  incomplete: string,
  url: string,
  { path, size }: RemoteFile,
  request: Omit<HubRequest, 'from'>,
  { onBytes }: DownloadHooks,
): Promise<void> {
  const handle = await open(incomplete, existsSync(incomplete) ? 'r+' : 'w+')
  try {
    let done = statSync(incomplete).size
    if (done > size) done = 0
    for (let idle = 0; done < size;) {
      const before = done
      done = await receive(handle, url, done, size, request, onBytes)
      idle = done > before ? 0 : idle + 1
      if (idle < fruitless) continue
      const message = `The connection for "${path}" of "${request.what}" broke ${fruitless} times without a byte, at ${done} of ${size}. Run again: what was fetched is kept.`
      throw new Failure('HUB_UNREACHABLE', message, { exitCode: 1 })
    }
    await handle.truncate(size)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** One request's bytes, from `done` on; a server that knows no ranges begins anew. Gives how many are there after it. */
async function receive(
  handle: FileHandle,
  url: string,
  done: number,
  size: number,
  request: Omit<HubRequest, 'from'>,
  onBytes: (done: number) => void,
): Promise<number> {
  const response = await hubGet(url, { ...request, from: done })
  const starts =
    response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]) : 0
  if (starts !== done && starts !== 0) return done
  let at = starts
  try {
    for await (const chunk of response.body ?? []) {
      const bytes = (chunk as Uint8Array).subarray(0, size - at)
      await write(handle, bytes, at)
      at += bytes.length
      onBytes(at)
    }
  } catch (error) {
    request.signal.throwIfAborted()
    if (error instanceof Failure) throw error // the connection broke: the next request goes on from here
  }
  return at
}

async function write(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) {
      done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    const message = isFull
      ? 'The disk is full. Make room, or move the cache by HF_HOME, and run again: what was fetched is kept.'
      : `The cache could not be written: ${code}.`
    throw new Failure(isFull ? 'DISK_FULL' : 'WRITE_FAILED', message, { exitCode: 1, cause })
  }
}

/** sha256 of a large file; of a small one git's blob id, sha1 over a header and the content. */
async function digestOf(path: string, { size, digest }: RemoteFile): Promise<string> {
  const hash: Hash = digest.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
