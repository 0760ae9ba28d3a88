import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from './error-code.ts'

/**
 * One writer per key across processes. A holder is a file of its own beside what it makes, and all that is to be known
 * about it stands in its *name* (`.lock-<key>-<host>-<pid>-<start>-<token>`), so that it is there whole or not at all.
 * Who wants the lock makes his file first and looks second: of two at once, at least one sees the other and steps back.
 * A name is never used twice, so that removing a dead holder's file can never remove a living one's.
 */
export interface Lock {
  readonly folder: string
  readonly key: string
  readonly token: string
  release(): void
}

const POLL_MS = 50
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
  mkdirSync(folder, { recursive: true })
  const seen: Seen = { files: new Map(), silenceMs: foreignSilenceMs }
  for (let told = false; ;) {
    const lock = attempt(folder, key, seen)
    if (typeof lock !== 'string') return lock
    if (!told) onWait(describe(lock))
    told = true
    await delay(POLL_MS * (0.5 + Math.random()), undefined, { signal })
  }
}

/** The lock if nobody else has it. */
export function tryAcquire(folder: string, key: string): Lock | undefined {
  const lock = attempt(folder, key, { files: new Map(), silenceMs: FOREIGN_SILENCE_MS })
  return typeof lock === 'string' ? undefined : lock
}

/** A holder on another host that has not touched its file for so long is not counted among the living. */
const FOREIGN_HOUR_MS = 3_600_000

/** The keys in a folder that a living process holds. Changes nothing. */
export function livingKeys(folder: string): Set<string> {
  const names = existsSync(folder) ? readdirSync(folder) : []
  const now: Seen = { files: new Map(), silenceMs: FOREIGN_SILENCE_MS }
  const living = names.filter((name) => {
    const age = Date.now() - (statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity)
    return isAlive(folder, name, now) && (parse(name)?.host === thisHost() || age < FOREIGN_HOUR_MS)
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

/** Makes this process a holder. */
export function hold(folder: string, key: string, mine: string): string {
  const file = join(folder, `.lock-${key}-${thisHost()}-${process.pid}-${startOf(process.pid) ?? '0'}-${mine}`)
  closeSync(openSync(file, 'wx'))
  return file
}

export function held(folder: string, key: string, mine: string, file: string): Lock {
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS)
  heartbeat.unref()
  const release = (): void => {
    clearInterval(heartbeat)
    for (const name of lockFiles(folder, key))
      if (name.endsWith(`-${mine}`)) rmSync(join(folder, name), { force: true })
  }
  return { folder, key, token: mine, release }
}

function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date())
  } catch {
    // released meanwhile
  }
}

const lockFiles = (folder: string, key: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith(`.lock-${key}-`))

/** Since when the lock files of other hosts have not been touched. */
export interface Seen {
  readonly files: Map<string, { readonly mtime: number; readonly since: number }>
  readonly silenceMs: number
}

/** Another living holder of the key; dead ones are cleared away. */
function otherHolder(folder: string, key: string, mine: string, seen: Seen): string | undefined {
  const others = lockFiles(folder, key).filter((name) => !name.endsWith(`-${mine}`))
  for (const name of others) {
    if (isAlive(folder, name, seen)) return name
    rmSync(join(folder, name), { force: true })
  }
  // the host of a dead driver may have joined it before its file went
  return others.length === 0 ? undefined : otherHolder(folder, key, mine, seen)
}

export interface Holder {
  readonly host: string
  readonly pid: number
  readonly start: string
}

export function parse(name: string): Holder | undefined {
  const match = /^\.lock-[0-9a-f]+-([0-9a-f]{16})-(\d+)-(\w+)-[0-9a-f]+$/.exec(name)
  return match === null ? undefined : { host: match[1]!, pid: Number(match[2]), start: match[3]! }
}

/** A name of another form was not made by us, or cut: it holds nothing. */
export function isAlive(folder: string, name: string, seen: Seen): boolean {
  const holder = parse(name)
  if (holder === undefined) return false
  if (holder.host !== thisHost()) return !isSilent(join(folder, name), seen)
  if (!exists(holder.pid)) return false
  const start = startOf(holder.pid)
  return start === undefined || start === holder.start
}

/** Our own clock measures the silence, so that the other host's need not be right. */
function isSilent(file: string, seen: Seen): boolean {
  const mtime = statSync(file, { throwIfNoEntry: false })?.mtimeMs
  if (mtime === undefined) return true
  const known = seen.files.get(file)
  if (known?.mtime === mtime) return performance.now() - known.since > seen.silenceMs
  seen.files.set(file, { mtime, since: performance.now() })
  return false
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** When a process was started: the boot, and clock ticks since it (field 22 of /proc/PID/stat). Tells a reused pid. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field, the program's name, may hold spaces and parentheses
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'ended' : `${fields[19]!}b${thisBoot()}`
  } catch {
    return undefined
  }
}

let host: string | undefined
let boot: string | undefined

/** This machine, or this container in it: pids mean the same within it and nowhere else. */
export function thisHost(): string {
  host ??= digits(`${hostname()} ${linkText('/proc/self/ns/pid')}`, 16)
  return host
}

function thisBoot(): string {
  boot ??= digits(readText('/proc/sys/kernel/random/boot_id'), 8)
  return boot
}

const digits = (text: string, count: number): string => createHash('sha256').update(text).digest('hex').slice(0, count)

function describe(name: string): string {
  const holder = parse(name)
  return holder?.host === thisHost() ? `process ${holder.pid}` : 'a process on another machine'
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

function linkText(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}
