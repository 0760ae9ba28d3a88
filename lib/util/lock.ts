import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fstatSync, openSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeFolder } from './durable.ts'
import { errorCode } from './error-code.ts'
import { fileClock } from './file-clock.ts'
import { processExists, startOf, thisHost } from './this-host.ts'

/**
 * One writer per key across processes. A holder is a file of its own beside what it makes, and all that is to be known
 * about it stands in its *name* (`.lock-<key>-<host>-<pid>-<start>-<token>`), so that it is there whole or not at all.
 * Who wants the lock makes his file first and looks second: of two at once, at least one sees the other and steps back.
 * A name is never used twice, so that removing a dead holder's file can never remove a living one's.
 *
 * Between machines it is a lease: one that stood still, or whose file system shows others' files late, may lose it or
 * share it. It is told by `lost`. What a lock keeps apart must therefore be right, if wasteful, when two do it.
 */
export interface Lock {
  readonly folder: string
  readonly key: string
  readonly token: string
  readonly file: string
  /** Aborts when another has it: our file was cleared away, or another machine holds the lock beside us. */
  readonly lost: AbortSignal
  /** Looks now, and not at the next heartbeat. */
  isHeld(): boolean
  /** Never throws: what cannot be removed is dead with this process. */
  release(): void
}

const POLL_MS = 50
/** Who waits for another machine asks a server, and for long. */
const SLOWEST_POLL_MS = 1_000
const HEARTBEAT_MS = 5_000
/** A holder on another host is given up when its file has not been touched for this long. */
const FOREIGN_SILENCE_MS = 60_000

/** Waits until the lock is had; `onWait` is told once who holds it. Rejects when `signal` aborts. */
export async function acquire(
  folder: string,
  key: string,
  signal: AbortSignal,
  onWait: (holder: string) => void,
  foreignSilenceMs = FOREIGN_SILENCE_MS,
): Promise<Lock> {
  makeFolder(folder)
  const seen: Seen = { files: new Map(), silenceMs: foreignSilenceMs }
  for (let poll = POLL_MS, told = false; ;) {
    // who only waits makes no file: the holder's server has enough to do
    const lock = (told ? otherHolder(folder, key, '', seen) : undefined) ?? attempt(folder, key, seen)
    if (typeof lock !== 'string') return lock
    if (!told) onWait(describe(lock))
    told = true
    await delay(poll * (0.5 + Math.random()), undefined, { signal })
    if (parse(lock)?.host !== thisHost()) poll = Math.min(poll * 1.2, SLOWEST_POLL_MS, foreignSilenceMs / 10)
  }
}

/** The lock if nobody else has it. */
export function tryAcquire(folder: string, key: string): Lock | undefined {
  const lock = attempt(folder, key, { files: new Map(), silenceMs: FOREIGN_SILENCE_MS })
  return typeof lock === 'string' ? undefined : lock
}

/** A holder on another host that has not touched its file for so long is not counted among the living. */
const FOREIGN_HOUR_MS = 3_600_000

/** The keys in a folder that a living process holds; it leaves the folder as it was. */
export function livingKeys(folder: string, deadAfterMs = FOREIGN_HOUR_MS): Set<string> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('.lock-')) : []
  const seen: Seen = { files: new Map(), silenceMs: FOREIGN_SILENCE_MS }
  let clock: number | undefined
  const living = names.filter((name) => {
    if (!isAlive(folder, name, seen)) return false
    if (parse(name)?.host === thisHost()) return true
    // by the file system's clock, as that of the machine that holds it may be hours behind ours
    clock ??= fileClock(folder)
    return clock - (touchedAt(join(folder, name)) ?? -Infinity) < deadAfterMs
  })
  return new Set(living.map((name) => name.split('-')[1]!))
}

/** The lock, or the name of the file of who has it. */
function attempt(folder: string, key: string, seen: Seen): Lock | string {
  const mine = randomBytes(6).toString('hex')
  const file = hold(folder, key, mine)
  const other = otherHolder(folder, key, mine, seen)
  if (other === undefined) return held(folder, key, mine, file)
  rmSync(file, { force: true })
  return other
}

/** A host joins its driver as a holder. False where the driver died and was cleared away: another may have the lock. */
export function holdBeside(folder: string, key: string, driver: string): boolean {
  const file = hold(folder, key, driver)
  if (lockFiles(folder, key).filter((name) => name.endsWith(`-${driver}`)).length > 1) return true
  rmSync(file, { force: true })
  return false
}

/** The tokens of those who hold a key now: the one of this process, and those of others. */
export function holdersOf(
  folder: string,
  key: string,
): { readonly own: string | undefined; readonly others: string[] } {
  const holders = lockFiles(folder, key).flatMap((name) => parse(name) ?? [])
  const isOwn = (holder: Holder): boolean => holder.host === thisHost() && holder.pid === process.pid
  const own = holders.find(isOwn)?.token
  return { own, others: holders.flatMap(({ token }) => (token === own ? [] : token)) }
}

/** Makes this process a holder. */
export function hold(folder: string, key: string, mine: string): string {
  const file = join(folder, `.lock-${key}-${thisHost()}-${process.pid}-${startOf(process.pid) ?? '0'}-${mine}`)
  closeSync(openSync(file, 'wx'))
  return file
}

export function held(folder: string, key: string, mine: string, file: string): Lock {
  const lost = new AbortController()
  const rivals = new Map<string, number>()
  const isHeld = (): boolean => {
    if (!isThere(file)) lost.abort()
    return !lost.signal.aborted
  }
  const beat = (): void => {
    if (touch(file) && !yields(folder, key, file, rivals)) return
    lost.abort()
    clearInterval(heartbeat)
  }
  const heartbeat = setInterval(beat, HEARTBEAT_MS)
  heartbeat.unref()
  const release = (): void => {
    clearInterval(heartbeat)
    discard(file)
    // that of the host, which holds beside its driver
    for (const name of tryLockFiles(folder, key)) if (name.endsWith(`-${mine}`)) discard(join(folder, name))
  }
  return { folder, key, token: mine, file, lost: lost.signal, isHeld, release }
}

/** False where the file is gone. Any other trouble may pass. */
function touch(file: string): boolean {
  try {
    utimesSync(file, new Date(), new Date())
    return true
  } catch (error) {
    return !isGone(error)
  }
}

/**
 * Two machines may both have it where one did not see the other's file in time. The one whose name is greater steps
 * back. A file that is not written to is no holder's: who only wants the lock, or looks at it, writes nothing.
 */
function yields(folder: string, key: string, file: string, rivals: Map<string, number>): boolean {
  return tryLockFiles(folder, key).some((name) => {
    const rival = parse(name)
    if (rival === undefined || rival.host === thisHost() || join(folder, name) >= file) return false
    const before = rivals.get(name)
    const now = touchedAt(join(folder, name)) ?? 0
    rivals.set(name, now)
    return before !== undefined && now > before
  })
}

const isGone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR', 'ESTALE'].includes(errorCode(error) ?? '')

/** False only of what is certainly gone. */
function isThere(file: string): boolean {
  try {
    statSync(file)
    return true
  } catch (error) {
    return !isGone(error)
  }
}

/** Removes a lock. False for one that cannot be removed, of a store that is gone for instance: it stays for who looks next. */
function discard(file: string): boolean {
  for (let tried = 1; tried <= 2; tried++) {
    try {
      rmSync(file, { force: true })
      return true
    } catch {
      // a server may answer at the second try
    }
  }
  return false
}

const lockFiles = (folder: string, key: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith(`.lock-${key}-`))

function tryLockFiles(folder: string, key: string): string[] {
  try {
    return lockFiles(folder, key)
  } catch {
    return []
  }
}

/** Since when the lock files of other hosts have not been touched. */
export interface Seen {
  readonly files: Map<string, { readonly touched: number; readonly since: number; looked: number }>
  readonly silenceMs: number
}

/** Another living holder of the key; dead ones are cleared away. */
function otherHolder(folder: string, key: string, mine: string, seen: Seen): string | undefined {
  const others = lockFiles(folder, key).filter((name) => mine === '' || !name.endsWith(`-${mine}`))
  let cleared = false
  for (const name of others) {
    if (isAlive(folder, name, seen)) return name
    cleared = discard(join(folder, name)) || cleared
  }
  // the host of a dead driver may have joined it before its file went
  return cleared ? otherHolder(folder, key, mine, seen) : undefined
}

export interface Holder {
  readonly host: string
  readonly pid: number
  readonly start: string
  readonly token: string
}

export function parse(name: string): Holder | undefined {
  const match = /^\.lock-[0-9a-f]+-([0-9a-f]{16})-(\d+)-(\w+)-([0-9a-f]+)$/.exec(name)
  return match === null ? undefined : { host: match[1]!, pid: Number(match[2]), start: match[3]!, token: match[4]! }
}

/** A name of another form was not made by us, or cut: it holds nothing. */
export function isAlive(folder: string, name: string, seen: Seen): boolean {
  const holder = parse(name)
  if (holder === undefined) return false
  if (holder.host !== thisHost()) return !isSilent(join(folder, name), seen)
  if (!processExists(holder.pid)) return false
  const start = startOf(holder.pid)
  return start === undefined || start === holder.start
}

/** Our own clock measures the silence, so that the other host's need not be right. */
function isSilent(file: string, seen: Seen): boolean {
  const touched = touchedAt(file)
  if (touched === undefined) return true
  const now = performance.now()
  const known = seen.files.get(file)
  // in a time in which we stood still ourselves we have heard nothing
  if (known?.touched === touched && now - known.looked < seen.silenceMs / 2) {
    known.looked = now
    return now - known.since > seen.silenceMs && touchedNow(file) === touched
  }
  seen.files.set(file, { touched, since: now, looked: now })
  return false
}

/** When a heartbeat last reached a file, by the file system's clock; undefined where it is gone. */
function touchedAt(file: string): number | undefined {
  try {
    return statSync(file).ctimeMs
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** The same past the cache of a network file system, which asks the server when a file is opened. */
function touchedNow(file: string): number | undefined {
  try {
    const fd = openSync(file, 'r')
    try {
      return fstatSync(fd).ctimeMs
    } finally {
      closeSync(fd)
    }
  } catch {
    return touchedAt(file)
  }
}

function describe(name: string): string {
  const holder = parse(name)
  return holder?.host === thisHost() ? `process ${holder.pid}` : 'a process on another machine'
}
