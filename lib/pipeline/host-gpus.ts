import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { annotate, describeHolder } from '../util/lock-note.ts'
import { held, hold, isAlive, parse } from '../util/lock.ts'
import type { Lock, Seen } from '../util/lock.ts'
import { sha256 } from './canonical.ts'
import { messageOf } from './files.ts'
import type { Gpu } from './gpu-names.ts'

const POLL_MS = 100
/** A holder in another container is given up when it has not touched its file for so long. */
const SILENCE_MS = 60_000

export const gpuFolder = (): string => join(tmpdir(), 'pipeline-gpus')

interface Held {
  readonly ids: readonly string[]
  readonly locks: readonly Lock[]
}

interface Wait {
  /** For those who wait for us. */
  readonly note: string
  readonly signal: AbortSignal
  /** Told once, who has what is waited for. */
  readonly onWait: (holders: readonly string[]) => void
}

/**
 * The GPUs of a host, shared by the runs of all its users. Every user has a folder of locks, in which nobody else need
 * write: a lock is made there first, and then those of all others are looked at (see lock.ts). All that is asked for is
 * taken or nothing, so that two who wait for each other's cannot be. A holder that is gone holds nothing.
 */
export class HostGpus {
  readonly #root: string
  readonly #own: string | undefined
  readonly #seen: Seen = { files: new Map(), silenceMs: SILENCE_MS }

  private constructor(root: string, own: string | undefined) {
    this.#root = root
    this.#own = own
  }

  /** Where there is no folder to write to, GPUs are taken without asking, and `onClosed` is told why. */
  static open(root: string, onClosed: (why: string) => void): HostGpus {
    try {
      const own = join(root, String(userInfo().uid))
      mkdirSync(own, { recursive: true })
      chmodSync(own, 0o755)
      makePublic(root)
      rmSync(hold(own, sha256('probe'), randomBytes(6).toString('hex')))
      return new HostGpus(root, own)
    } catch (error) {
      onClosed(`${messageOf(error)}.`)
      return new HostGpus(root, undefined)
    }
  }

  /** So many of these GPUs, the first ones that are free, as soon as there are as many. Rejects when `signal` aborts. */
  async hold(gpus: readonly Gpu[], count: number, { note, signal, onWait }: Wait): Promise<Held> {
    const own = this.#own
    if (own === undefined) return { ids: gpus.slice(0, count).map(({ id }) => id), locks: [] }
    for (let look = 1; ; look++) {
      const taken = this.#takeAll(own, gpus, count)
      if (taken !== undefined) {
        for (const lock of taken.locks) annotate(lock, note)
        return taken
      }
      // at the second look: what one sees at the first may be another's look
      if (look === 2)
        onWait(gpus.flatMap(({ id, name }) => this.#holders(keyOf(name)).map((who) => `${who} has ${id}`)))
      await delay(POLL_MS * (0.5 + Math.random()), undefined, { signal })
    }
  }

  #takeAll(own: string, gpus: readonly Gpu[], count: number): Held | undefined {
    const ids: string[] = []
    const locks: Lock[] = []
    for (const { id, name } of gpus) {
      const lock = locks.length < count ? this.#take(own, keyOf(name)) : undefined
      if (lock === undefined) continue
      ids.push(id)
      locks.push(lock)
    }
    if (locks.length === count) return { ids, locks }
    for (const lock of locks) lock.release()
    return undefined
  }

  #take(own: string, key: string): Lock | undefined {
    // who only waits makes no file, which others would see
    if (this.#living(key, '').length > 0) return undefined
    const token = randomBytes(6).toString('hex')
    const file = hold(own, key, token)
    if (this.#living(key, token).length === 0) return held(own, key, token, file)
    rmSync(file, { force: true })
    return undefined
  }

  /** The locks of a GPU that somebody alive holds, but for one; those of our own that are dead are cleared away. */
  #living(key: string, but: string): { readonly folder: string; readonly name: string }[] {
    return folders(this.#root).flatMap((folder) =>
      names(folder, key)
        .filter((name) => but === '' || !name.endsWith(`-${but}`))
        .filter((name) => {
          if (isAlive(folder, name, this.#seen)) return true
          if (folder === this.#own) rmSync(join(folder, name), { force: true })
          return false
        })
        .map((name) => ({ folder, name })),
    )
  }

  /** A stage's process holds beside its run, which alone has a note. */
  #holders(key: string): string[] {
    const told = this.#living(key, '')
      .filter(({ name }) => parse(name)?.pid !== process.pid)
      .map(({ folder, name }) => describeHolder(folder, name))
    const noted = told.filter((text) => text.includes('('))
    return (noted.length > 0 ? noted : told).slice(0, 1)
  }
}

const keyOf = (name: string): string => sha256(name)

/** As /tmp is: everyone may make a folder, nobody remove another's. */
function makePublic(root: string): void {
  try {
    chmodSync(root, 0o1777)
  } catch {
    // another user's, who did it
  }
}

function folders(root: string): string[] {
  return readdirSync(root).map((name) => join(root, name))
}

function names(folder: string, key: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(`.lock-${key}-`))
  } catch {
    return [] // gone, or no folder
  }
}
