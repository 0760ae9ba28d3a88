import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../util/failure.ts'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { CHUNK, ChangedWhileRead, contentLine, hashFile, hashLargeFile, stateLine, statIdentity } from './digest.ts'
import { isExecutable } from './executable.ts'
import { readSealed, writeSealed } from './files.ts'
import { clockAhead } from './presence.ts'
import { walk } from './walk.ts'
import type { Entry, Links } from './walk.ts'

export interface FileDigest {
  readonly path: string
  readonly size: number
  /** What the store gives it: 0o444, or 0o555 for a program. */
  readonly mode: number
  readonly sha256: Digest
}

export interface TreeDigest {
  readonly digest: Digest
  /** The state that was hashed: changes whenever any file is written, touched, added or lost. */
  readonly state: Digest
}

export interface Listing {
  readonly entries: readonly Entry[]
  /** Of files, by path. */
  readonly digests: ReadonlyMap<string, Digest>
  readonly lines: readonly string[]
}

/** A kernel stamps files with a clock that ticks every 1 to 10 ms; some file systems keep whole seconds only. */
const TICK_NS = 20_000_000n
const COARSE_TICK_NS = 2_100_000_000n
const MOST_STATES = 20_000
/** Trees with more files keep their files' states in a cache file of their own. */
const MANY_FILES = 64
const VERSION = 1
/** To hash one file that others put in place of each other, without a pause between. */
const ATTEMPTS = 20

/**
 * From the state of a file or tree (device, inode, size, mtime, ctime of every file) to the digest of its content, so
 * that what did not change is not read again. A state is remembered only if it is older than the clock tick in which
 * it was hashed: an edit within the same tick would leave no trace in it (the racily clean entry of git's index).
 */
export class StatCache {
  /** Bytes of content read so far: nothing on a run where nothing changed. */
  bytesRead = 0
  readonly #folder: string
  readonly #trees: Map<string, Digest>
  readonly #added = new Map<string, Digest>()
  /** How far the clock of the file system is behind ours; 0 where it is not. */
  #behindMs: number | undefined

  constructor(folder: string) {
    this.#folder = join(folder, `stat-${VERSION}`)
    this.#trees = new Map(Object.entries(readTrees(this.#file)))
  }

  /** The content digest of a file or folder: names, execute bits, links, empty folders, bytes. Throws a Failure. */
  async tree(path: string, links: Links = 'follow'): Promise<TreeDigest> {
    return settled(path, () => this.#tree(walk(path, links), path))
  }

  /** The same with a digest for every file, as a manifest lists them. */
  async files(path: string, links: Links): Promise<TreeDigest & { readonly files: readonly FileDigest[] }> {
    return settled(path, async () => {
      const started = this.#now()
      const entries = walk(path, links)
      const digests = await this.#hashAll(entries, {}, started)
      const files = entries.flatMap((entry) => (entry.kind === 'file' ? [fileDigest(entry, digests)] : []))
      return { ...this.#remember(entries, digests, started), files }
    })
  }

  /** The lines that the digest of a tree is of, in the order of its entries. */
  async listing(path: string): Promise<Listing> {
    return settled(path, async () => {
      const entries = walk(path)
      const digests = await this.#knownDigests(entries, path, this.#now())
      return { entries, digests, lines: entries.map((entry) => contentLine(entry, digests.get(entry.path))) }
    })
  }

  /** The plain content digest of one file, links followed, or undefined where there is none. */
  file(path: string): Digest | undefined {
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      try {
        return this.#plainFile(path)
      } catch (error) {
        if (!(error instanceof ChangedWhileRead)) throw error // another run has just put its own in the place
      }
    }
    return this.#plainFile(path)
  }

  #plainFile(path: string): Digest | undefined {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat?.isFile() !== true) return undefined
    const state = statIdentity(stat)
    const known = this.#known(state)
    if (known !== undefined) return known
    const started = this.#now()
    const digest = hashFile(path, stat, this.#count)
    if (!isRacy({ kind: 'file', path: '', absolute: path, stat }, started)) this.#added.set(state, digest)
    return digest
  }

  /** Merges what was learnt with what other processes have learnt. A cache that cannot be written is no failure. */
  save(): void {
    if (this.#added.size === 0) return
    const merged = [...Object.entries(readTrees(this.#file)), ...this.#added].slice(-MOST_STATES)
    ignoreFailure(() => writeSealed(this.#file, Object.fromEntries(merged)))
    for (const [state, digest] of this.#added) this.#trees.set(state, digest)
    this.#added.clear()
  }

  async #tree(entries: readonly Entry[], path: string): Promise<TreeDigest> {
    const state = treeState(entries)
    const known = this.#known(state)
    if (known !== undefined) return { digest: known, state }
    const started = this.#now()
    return this.#remember(entries, await this.#knownDigests(entries, path, started), started)
  }

  async #knownDigests(entries: readonly Entry[], path: string, started: bigint): Promise<Map<string, Digest>> {
    // only the one state of a whole tree is looked up on a run without changes; its files' states are read when it fails
    const detail = entries.length > MANY_FILES ? join(this.#folder, `${sha256(path)}.json`) : undefined
    const digests = await this.#hashAll(entries, detail === undefined ? {} : readTrees(detail), started)
    if (detail !== undefined) ignoreFailure(() => writeSealed(detail, statesOf(entries, digests, started)))
    return digests
  }

  #remember(entries: readonly Entry[], digests: ReadonlyMap<string, Digest>, started: bigint): TreeDigest {
    const state = treeState(entries)
    const digest = sha256(entries.map((entry) => contentLine(entry, digests.get(entry.path))).join(''))
    if (!entries.some((entry) => entry.kind === 'file' && isRacy(entry, started))) this.#added.set(state, digest)
    return { digest, state }
  }

  async #hashAll(
    entries: readonly Entry[],
    known: Readonly<Record<string, Digest>>,
    started: bigint,
  ): Promise<Map<string, Digest>> {
    const digests = new Map<string, Digest>()
    const large: FileEntry[] = []
    const learn = (entry: FileEntry, digest: Digest): void => {
      digests.set(entry.path, digest)
      if (entries.length <= MANY_FILES && !isRacy(entry, started)) this.#added.set(statIdentity(entry.stat), digest)
    }
    for (const entry of entries) {
      if (entry.kind !== 'file') continue
      const state = statIdentity(entry.stat)
      const digest = known[state] ?? this.#known(state)
      if (digest !== undefined) learn(entry, digest)
      else if (entry.stat.size > CHUNK) large.push(entry)
      else learn(entry, hashFile(entry.absolute, entry.stat, this.#count))
    }
    await this.#hashLarge(large, learn)
    return digests
  }

  /** Two at once: while the last parts of one are hashed, the next has parts for the threads that are done. */
  async #hashLarge(entries: readonly FileEntry[], learn: (entry: FileEntry, digest: Digest) => void): Promise<void> {
    const left = [...entries].reverse()
    const hashed = async (): Promise<void> => {
      try {
        for (let entry = left.pop(); entry; entry = left.pop())
          learn(entry, await hashLargeFile(entry.absolute, entry.stat, this.#count))
      } finally {
        left.length = 0 // after a failure nothing new is begun
      }
    }
    const ends = await Promise.allSettled([hashed(), hashed()])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  readonly #count = (bytes: number): void => {
    this.bytesRead += bytes
  }

  #known(state: string): Digest | undefined {
    return this.#added.get(state) ?? this.#trees.get(state)
  }

  /**
   * In ns since 1970, by our clock or by that of the file system, whichever is behind: where a server dates the files and
   * our clock is ahead of its, an edit in this very tick would look older than it is. Asked for only when something is
   * hashed. The cache's folder stands for all folders, as it lies in the project's.
   */
  #now(): bigint {
    this.#behindMs ??= this.#clockBehind()
    return BigInt(Math.floor(Date.now() - this.#behindMs)) * 1_000_000n
  }

  #clockBehind(): number {
    ignoreFailure(() => mkdirSync(this.#folder, { recursive: true }))
    return Math.max(0, -clockAhead(this.#folder))
  }

  get #file(): string {
    return join(this.#folder, 'trees.json')
  }
}

/** What is given time to settle is a file that a program writes while it is hashed. */
async function settled<T>(path: string, hash: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return await hash()
    } catch (error) {
      if (!(error instanceof ChangedWhileRead)) throw error
      await delay(20)
    }
  }
  throw new Failure('INPUT_CHANGING', `"${path}" changes while it is read. Run again when nothing writes to it.`)
}

const treeState = (entries: readonly Entry[]): Digest => sha256(entries.map(stateLine).join(''))

type FileEntry = Extract<Entry, { kind: 'file' }>

const fileDigest = (entry: FileEntry, digests: ReadonlyMap<string, Digest>): FileDigest => ({
  path: entry.path,
  size: Number(entry.stat.size),
  mode: isExecutable(entry.stat) ? 0o555 : 0o444,
  sha256: digests.get(entry.path)!,
})

/** mtime may be set to any value; ctime is the kernel's, and every later change gets a later one. */
function isRacy(entry: FileEntry, started: bigint): boolean {
  const tick = entry.stat.ctimeNs % 1_000_000_000n === 0n ? COARSE_TICK_NS : TICK_NS
  return entry.stat.ctimeNs >= started - tick
}

function statesOf(
  entries: readonly Entry[],
  digests: ReadonlyMap<string, Digest>,
  started: bigint,
): Record<string, Digest> {
  const states: Record<string, Digest> = {}
  for (const entry of entries) {
    if (entry.kind === 'file' && !isRacy(entry, started)) states[statIdentity(entry.stat)] = digests.get(entry.path)!
  }
  return states
}

/** A cache file that is missing, cut short or of another shape is an empty cache. */
function readTrees(file: string): Record<string, Digest> {
  const value = readSealed(file)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  return value as Record<string, Digest>
}

function ignoreFailure(write: () => void): void {
  try {
    write()
  } catch {
    // a read-only or full disk costs speed here, never a result
  }
}
