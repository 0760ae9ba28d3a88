import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { isExecutable } from './executable.ts'
import { hashLanes } from './hash-lanes.ts'
import type { Lane } from './hash-lanes.ts'
import type { Entry } from './walk.ts'
import { unreadable } from './walk.ts'

/**
 * A file up to this size has its plain sha256; a larger one has the sha256 of its size and its chunks' sha256s
 * (`largeDigest`), so that the chunks can be hashed side by side.
 */
export const CHUNK = 16 * 1024 * 1024

/** Thrown when a file is not, or is no longer, what its stat said: whoever listed it lists it anew. */
export class ChangedWhileRead extends Error {}

/** What identifies a state of a file without reading it. The kernel sets ctime; nobody can set it back. */
export const statIdentity = (stat: BigIntStats): string =>
  `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`

/** The digest of a file in the state that `stat` describes; throws ChangedWhileRead if it left that state. */
export function hashFile(file: string, stat: BigIntStats, onRead: (bytes: number) => void): Digest {
  const fd = open(file)
  try {
    assertSame(fd, stat)
    const digest = hashContent(fd, Number(stat.size), onRead)
    assertSame(fd, stat)
    return digest
  } finally {
    closeSync(fd)
  }
}

/** The same for a file of more than one chunk, several chunks at once in threads of their own. */
export async function hashLargeFile(file: string, stat: BigIntStats, onRead: (bytes: number) => void): Promise<Digest> {
  const fd = open(file)
  try {
    assertSame(fd, stat)
    const chunks = await hashChunks(fd, Number(stat.size), onRead)
    assertSame(fd, stat)
    return largeDigest(Number(stat.size), chunks)
  } finally {
    closeSync(fd)
  }
}

async function hashChunks(fd: number, size: number, onRead: (bytes: number) => void): Promise<Digest[]> {
  const chunks: Digest[] = []
  const count = Math.ceil(size / CHUNK)
  let next = 0
  const hashed = async (lane: Lane): Promise<void> => {
    while (next < count) {
      const index = next++
      const length = Math.min(CHUNK, size - index * CHUNK)
      const digest = await lane.digest({ fd, start: index * CHUNK, length })
      if (digest === null) throw new ChangedWhileRead()
      chunks[index] = digest as Digest
      onRead(length)
    }
  }
  const ends = await Promise.allSettled(hashLanes().map(hashed))
  // only when no lane reads any more may the file be closed
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return chunks
}

function open(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (error) {
    throw unreadable(file, error)
  }
}

function assertSame(fd: number, stat: BigIntStats): void {
  if (statIdentity(fstatSync(fd, { bigint: true })) !== statIdentity(stat)) throw new ChangedWhileRead()
}

function hashContent(fd: number, size: number, onRead: (bytes: number) => void): Digest {
  if (size <= CHUNK) return hashRange(fd, 0, size, onRead)
  const chunks: Digest[] = []
  for (let at = 0; at < size; at += CHUNK) chunks.push(hashRange(fd, at, Math.min(CHUNK, size - at), onRead))
  return largeDigest(size, chunks)
}

/** The digest of a file of more than one chunk. */
export const largeDigest = (size: number, chunks: readonly Digest[]): Digest =>
  sha256(`chunks ${CHUNK} ${size}\n${chunks.join('\n')}\n`)

/** The digest of a file with this content. */
export function bytesDigest(bytes: Uint8Array): Digest {
  if (bytes.length <= CHUNK) return sha256(bytes)
  const starts = Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, index) => index * CHUNK)
  return largeDigest(
    bytes.length,
    starts.map((at) => sha256(bytes.subarray(at, at + CHUNK))),
  )
}

const buffer = Buffer.allocUnsafe(256 * 1024)

/** sha256 of `length` bytes from `start`; fewer when the file ends before, which the second stat then tells. */
export function hashRange(fd: number, start: number, length: number, onRead: (bytes: number) => void): Digest {
  const hash = createHash('sha256')
  for (let done = 0; done < length;) {
    const read = readSync(fd, buffer, 0, Math.min(buffer.length, length - done), start + done)
    if (read === 0) break
    hash.update(read === buffer.length ? buffer : buffer.subarray(0, read))
    done += read
  }
  onRead(length)
  return hash.digest('hex') as Digest
}

/** One line an entry, unambiguous for any name: what a tree's digest is the sha256 of. */
export function contentLine(entry: Entry, digest: Digest | undefined): string {
  const name = `${entry.path.length}:${entry.path}`
  if (entry.kind === 'folder') return `d ${name}\n`
  if (entry.kind === 'link') return `l ${name} ${entry.target.length}:${entry.target}\n`
  return `${isExecutable(entry.stat) ? 'x' : 'f'} ${name} ${entry.stat.size} ${digest ?? ''}\n`
}

/** The same, with the file's state in place of its content: equal lines, equal content. */
export function stateLine(entry: Entry): string {
  if (entry.kind !== 'file') return contentLine(entry, undefined)
  return `${isExecutable(entry.stat) ? 'x' : 'f'} ${entry.path.length}:${entry.path} ${statIdentity(entry.stat)}\n`
}
