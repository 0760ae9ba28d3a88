import { setTimeout as delay } from 'node:timers/promises'
import type { ResultPlace } from '../store.ts'
import { isOfDead, newNote, noteText, parseNote } from './lease-note.ts'
import type { LeaseNote } from './lease-note.ts'
import type { Remote } from './remote.ts'
import { readText, writeText } from './transfer.ts'

/** In ms. */
export interface LeaseTimes {
  readonly renew: number
  /** A lease that was not renewed for so long is nobody's. */
  readonly expiry: number
  readonly poll: number
}

const TIMES: LeaseTimes = { renew: 20_000, expiry: 90_000, poll: 1_000 }
const SLOWEST_POLLS = 10
/** A remote that is slower than this is not asked for leases: they only save work. */
const ANSWER_MS = 5_000

/** Who has a lease that was asked for. */
export interface Taken {
  readonly name: string
  readonly text: string
}

interface Own {
  readonly note: LeaseNote
  readonly timer: NodeJS.Timeout
  /** The renewal that is on its way. */
  renewal: Promise<void>
  renewedAt: number
  isLost: boolean
}

/**
 * Of machines that share a remote and no store, one makes a result and the others wait for it: who makes it has an object
 * in the remote, made where there is none yet, renewed while it works and removed when the result is pushed. Nothing
 * rests on it but time: two that both think they have it make the same result twice, and on any trouble none is asked
 * for any more.
 */
export class Leases {
  /** The first trouble. */
  trouble: unknown
  readonly #open: () => Promise<Remote>
  readonly #times: LeaseTimes
  readonly #own = new Map<string, Own>()
  readonly #expired = new Set<string>()

  constructor(open: () => Promise<Remote>, times = TIMES) {
    this.#open = open
    this.#times = times
  }

  /** Who has the lease of a result; undefined where it is ours, and where we go without. */
  take(place: ResultPlace): Promise<Taken | undefined> {
    const name = leaseName(place)
    return this.#try(async (remote) => {
      for (let tried = 1; tried <= 2; tried++) {
        const note = newNote()
        if (await remote.create(name, noteText(note), limit())) {
          this.#hold(remote, name, note)
          return undefined
        }
        const text = await readText(remote, name, limit())
        if (text !== undefined && !this.#expired.has(text) && !isOfDead(text)) return { name, text }
        // looked at a moment ago: who else breaks it now may lose what he makes to us, and work in vain
        if (text !== undefined) await remote.remove(name, limit())
      }
      return undefined
    })
  }

  /** Waits until a lease is released or has expired. Never rejects. */
  async wait({ name, text }: Taken, signal: AbortSignal, isOver: () => boolean): Promise<void> {
    const { poll, expiry } = this.#times
    let [known, since, looked] = [text, performance.now(), performance.now()]
    for (let pause = poll; !isOver(); pause = Math.min(pause * 1.5, poll * SLOWEST_POLLS)) {
      await delay(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      const found = await this.#try((remote) => readText(remote, name, limit()))
      if (found === undefined || isOfDead(found)) return
      const now = performance.now()
      // in a time in which we stood still ourselves we have heard nothing
      if (found !== known || now - looked > expiry / 2) [known, since] = [found, now]
      else if (now - since > expiry) {
        this.#expired.add(found)
        return
      }
      looked = now
    }
  }

  /** Releases the lease of a result, if it is ours. Never rejects. */
  async release(place: ResultPlace): Promise<void> {
    const name = leaseName(place)
    const own = this.#own.get(name)
    if (own === undefined) return
    this.#own.delete(name)
    clearInterval(own.timer)
    await own.renewal
    await this.#try(async (remote) => {
      // stood still: it may be another's by now
      if (Date.now() - own.renewedAt > this.#times.expiry / 2) await this.#renew(remote, name, own)
      if (!own.isLost) await remote.remove(name, limit())
    })
  }

  #hold(remote: Remote, name: string, note: LeaseNote): void {
    const renew = (): void => {
      own.renewal = own.renewal.then(() => this.#renew(remote, name, own)).catch(() => undefined)
    }
    const timer = setInterval(renew, this.#times.renew).unref()
    const own: Own = { note, timer, renewal: Promise.resolve(), renewedAt: Date.now(), isLost: false }
    this.#own.set(name, own)
  }

  async #renew(remote: Remote, name: string, own: Own): Promise<void> {
    const text = await readText(remote, name, limit())
    own.isLost ||= parseNote(text ?? '')?.token !== own.note.token
    if (own.isLost) {
      clearInterval(own.timer)
      return
    }
    await writeText(remote, name, noteText({ ...own.note, beat: Date.now() }), limit())
    own.renewedAt = Date.now()
  }

  async #try<T>(ask: (remote: Remote) => Promise<T>): Promise<T | undefined> {
    if (this.trouble !== undefined) return undefined
    try {
      return await ask(await this.#open())
    } catch (error) {
      this.trouble ??= error
      return undefined
    }
  }
}

const leaseName = ({ stage, key }: ResultPlace): string => `leases/${stage}/${key}.json`

const limit = (): AbortSignal => AbortSignal.timeout(ANSWER_MS)
