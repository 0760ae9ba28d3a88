import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeFolder, syncFolder } from '../../util/durable.ts'
import { sha256 } from '../canonical.ts'
import type { Digest } from '../canonical.ts'
import { bytesDigest } from '../digest.ts'
import { remove, token } from '../files.ts'
import type { Listing, StatCache } from '../stat-cache.ts'
import type { Entry } from '../walk.ts'
import { parseListing } from './listing.ts'
import type { ListedFile, Listed } from './listing.ts'

/**
 * Bytes of a source that its copy holds, its smallest files first. All else is looked for in the working tree and in
 * git when an experiment is reproduced.
 */
const MOST_BYTES = 64 * 2 ** 20

/**
 * The first line of a copy of a source. There follow the lines that the source's digest is of, and the contents of the
 * files of up to `upTo` bytes, in the order of those lines.
 */
interface Header {
  readonly version: number
  /** Bytes of the lines. */
  readonly listing: number
  readonly upTo: number
}

/** Writes the copy of a source, whole or not at all. False where the source is not what its digest says. */
export async function writePack(
  file: string,
  { path, digest }: { readonly path: string; readonly digest: Digest },
  stats: StatCache,
  mostBytes = MOST_BYTES,
): Promise<boolean> {
  const listing = await stats.listing(path)
  const text = listing.lines.join('')
  if (sha256(text) !== digest) return false
  makeFolder(dirname(file))
  const temporary = join(dirname(file), `.${basename(file)}.${token()}.tmp`)
  try {
    if (!writeContents(temporary, text, listing, mostBytes)) return false
    renameSync(temporary, file)
    syncFolder(dirname(file))
    return true
  } finally {
    remove(temporary)
  }
}

type FileEntry = Extract<Entry, { kind: 'file' }>

function writeContents(file: string, text: string, { entries, digests }: Listing, mostBytes: number): boolean {
  const files = entries.filter((entry): entry is FileEntry => entry.kind === 'file')
  const upTo = largest(
    files.map(({ stat }) => Number(stat.size)),
    mostBytes,
  )
  const header = { version: 1, listing: Buffer.byteLength(text), upTo } satisfies Header
  const fd = openSync(file, 'wx')
  try {
    write(fd, Buffer.from(`${JSON.stringify(header)}\n${text}`))
    for (const { path, absolute, stat } of files) {
      if (Number(stat.size) > upTo) continue
      const bytes = readFileSync(absolute)
      // edited since it was listed
      if (bytesDigest(bytes) !== digests.get(path)) return false
      write(fd, bytes)
    }
    fsyncSync(fd)
    return true
  } finally {
    closeSync(fd)
  }
}

/** The largest size of which all files, with all that are smaller, take at most so many bytes together; -1 for none. */
function largest(sizes: readonly number[], mostBytes: number): number {
  const sorted = sizes.toSorted((a, b) => a - b)
  let [upTo, bytes] = [-1, 0]
  for (const [index, size] of sorted.entries()) {
    bytes += size
    if (bytes > mostBytes) return upTo
    if (sorted[index + 1] !== size) upTo = size
  }
  return upTo
}

function write(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
}

/** A copy of a source whose list of files is whole. */
export interface Pack {
  readonly entries: readonly Listed[]
  /** The content of a file; undefined where the copy does not hold it, or not whole. */
  readonly read: (file: ListedFile) => Buffer | undefined
  readonly holds: (file: ListedFile) => boolean
  /** Of the whole copy. */
  readonly bytes: number
  readonly close: () => void
}

/** Undefined where there is no copy, or one whose list was damaged. */
export function openPack(file: string, digest: Digest): Pack | undefined {
  if (!existsSync(file)) return undefined
  const fd = openSync(file, 'r')
  const pack = readHead(fd, digest)
  if (pack === undefined) closeSync(fd)
  return pack
}

/** More than a header has. */
const HEADER_BYTES = 200

function readHead(fd: number, digest: Digest): Pack | undefined {
  const start = readAt(fd, 0, HEADER_BYTES).toString('latin1')
  const header = parse(start.slice(0, start.indexOf('\n') + 1))
  if (header === undefined) return undefined
  const from = start.indexOf('\n') + 1
  const bytes = fstatSync(fd).size
  if (!(header.listing <= bytes)) return undefined
  const text = readAt(fd, from, header.listing).toString()
  if (sha256(text) !== digest) return undefined
  const entries = parseListing(text)
  if (entries === undefined) return undefined
  const places = new Map<ListedFile, number>()
  let end = from + header.listing
  for (const entry of entries) {
    if (entry.kind !== 'file' || entry.size > header.upTo) continue
    places.set(entry, end)
    end += entry.size
  }
  const read = (entry: ListedFile): Buffer | undefined => {
    const at = places.get(entry)
    const content = at === undefined || at + entry.size > bytes ? undefined : readAt(fd, at, entry.size)
    return content !== undefined && bytesDigest(content) === entry.digest ? content : undefined
  }
  return { entries, read, holds: (entry) => places.has(entry), bytes, close: () => closeSync(fd) }
}

function parse(line: string): Header | undefined {
  try {
    const header = JSON.parse(line) as Header
    const isWhole = header.version === 1 && header.listing >= 0 && Number.isSafeInteger(header.upTo)
    return isWhole ? header : undefined
  } catch {
    return undefined
  }
}

/** Fewer bytes where the file ends before. */
function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let done = 0
  for (let read = -1; read !== 0 && done < length; done += read)
    read = readSync(fd, bytes, done, length - done, at + done)
  return bytes.subarray(0, done)
}

/** Whether every file that a copy holds is whole. */
export function isWhole(file: string, digest: Digest): boolean {
  const pack = openPack(file, digest)
  if (pack === undefined) return false
  try {
    return pack.entries.every((entry) => entry.kind !== 'file' || !pack.holds(entry) || pack.read(entry) !== undefined)
  } finally {
    pack.close()
  }
}
