import pLimit from 'p-limit'
import type { Code } from '../../util/codes/index.ts'
import type { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import { messageOf } from '../files.ts'
import type { Manifest } from '../manifest.ts'
import { storeFailure } from '../store-failure.ts'
import type { ResultPlace, Store } from '../store.ts'
import type { RemoteAddress } from './address.ts'
import { pushExperiment } from './experiments.ts'
import { describeNote } from './lease-note.ts'
import { Leases } from './lease.ts'
import { openRemote } from './open.ts'
import type { Remote } from './remote.ts'
import { fetchResult, findResult, pushResult } from './results.ts'
import type { Channel } from './results.ts'
import type { Keys } from './signature.ts'
import { unsignable } from './signing-key.ts'

/** Told what is worth saying of the remote; `stage` is the one that it is about. */
export type Tell = (stage: string | null, code: Code, message: string) => void

const TRANSFERS_AT_ONCE = 8

/** A channel to a remote, for a command that fails with it. */
export function makeChannel(remote: Remote, keys: Keys, signal: AbortSignal): Channel {
  return { remote, keys, signal, limit: pLimit(TRANSFERS_AT_ONCE), wrong: new Set<Digest>() }
}

/**
 * What a run asks of a remote. No failure of it is the run's: what is damaged is said and taken as absent; a remote
 * that cannot be reached is said once and not asked again.
 */
export class RemoteSession {
  readonly #remote: RemoteAddress
  readonly #keys: Keys
  readonly #signal: AbortSignal
  readonly #tell: Tell
  readonly #said = new Set<string>()
  readonly #pushes = new Set<Promise<void>>()
  readonly #pushOf = new Map<string, Promise<void>>()
  readonly #releases: Promise<void>[] = []
  readonly #leases = new Leases(async () => (await this.#open()).remote)
  /** Ends what waits when the remote is given up: each would wait as long as the first. */
  readonly #down = new AbortController()
  #channel: Promise<Channel> | undefined

  constructor(remote: RemoteAddress, keys: Keys, signal: AbortSignal, tell: Tell) {
    this.#remote = remote
    this.#keys = keys
    this.#signal = signal
    this.#tell = tell
  }

  get address(): string {
    return this.#remote.text
  }

  /** The manifest of a result that the remote has. */
  async find(stage: string, place: ResultPlace): Promise<Manifest | undefined> {
    return (await this.#ask(stage, NOT_RESTORED, (channel) => findResult(channel, place)))?.manifest
  }

  /** Fetches a result that the store does not have. Who calls holds the key's lock. */
  restore(stage: string, store: Store, place: ResultPlace): Promise<Manifest | undefined> {
    return this.#ask(stage, NOT_RESTORED, (channel) => fetchResult(channel, store, place))
  }

  /** Pushes a result of the store in the background, see `settle`. */
  push(stage: string, store: Store, place: ResultPlace, manifest: Manifest): void {
    const refused = unsignable(this.#keys)
    if (refused !== undefined) this.#say(null, refused, NOT_PUSHED)
    else
      this.#pushOf.set(
        place.key,
        this.#inBackground(stage, (channel) => pushResult(channel, store, place, manifest)),
      )
  }

  /**
   * Undefined where a result may be made here now; `endTurn` says when it is. Else another machine is at it: what is
   * given waits until that one is done, or `isOver`.
   */
  async takeTurn(
    stage: string,
    place: ResultPlace,
    signal: AbortSignal,
    isOver: () => boolean,
  ): Promise<(() => Promise<void>) | undefined> {
    // nobody need wait for what is not pushed
    if (this.#isOver() || unsignable(this.#keys) !== undefined) return undefined
    const taken = await this.#leases.take(place)
    if (taken === undefined) return undefined
    const who = `${describeNote(taken.text)}, which makes the same result`
    const text = `"${stage}" waits for ${who}, as "${taken.name}" in the remote "${this.address}" says.`
    if (!this.#said.has(text)) this.#tell(stage, 'LOCK_WAIT', text)
    this.#said.add(text)
    return () => this.#leases.wait(taken, signal, () => isOver() || this.#isOver())
  }

  /** Lets others go on with a result of ours, once it is pushed. */
  endTurn({ stage, key }: ResultPlace): void {
    const pushed = this.#pushOf.get(key) ?? Promise.resolve()
    // a remote that is down would let the end of the run wait
    const release = (): Promise<void> | undefined =>
      this.#down.signal.aborted ? undefined : this.#leases.release({ stage, key })
    this.#releases.push(pushed.then(release))
  }

  /** The same for the record of an experiment; who cannot sign it was told where there was a result to push. */
  pushRecord(root: string, hash: string): void {
    if (unsignable(this.#keys) === undefined)
      void this.#inBackground(null, (channel) => pushExperiment(channel, root, hash))
  }

  /** Waits for what is pushed in the background. */
  async settle(): Promise<void> {
    const { size } = this.#pushes
    await Promise.all(this.#pushes)
    await Promise.all(this.#releases)
    if (this.#leases.trouble !== undefined && !this.#isOver())
      this.#tell(null, 'REMOTE_LEASE_FAILED', this.#troubleText())
    if (size === 0 || !this.#signal.aborted) return
    this.#tell(
      null,
      'PUSH_STOPPED',
      'Results may not have been pushed before the stop. `pipeline push` pushes the rest.',
    )
  }

  #inBackground(stage: string | null, push: (channel: Channel) => Promise<unknown>): Promise<void> {
    const pushed = this.#ask(stage, NOT_PUSHED, push).then(() => void this.#pushes.delete(pushed))
    this.#pushes.add(pushed)
    return pushed
  }

  #troubleText(): string {
    return `No lease could be had, so that other machines may have made the same results: ${messageOf(this.#leases.trouble)}`
  }

  /** Opened when it is first asked: a run in which all is fresh loads no client. */
  #open(): Promise<Channel> {
    const signal = AbortSignal.any([this.#signal, this.#down.signal])
    return (this.#channel ??= openRemote(this.#remote).then((remote) => makeChannel(remote, this.#keys, signal)))
  }

  async #ask<T>(
    stage: string | null,
    consequence: string,
    ask: (channel: Channel) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#isOver()) return undefined
    try {
      return await ask(await this.#open())
    } catch (error) {
      if (this.#isOver()) return undefined
      const failure = storeFailure(error, 'the remote was asked')
      if (failure.code === 'REMOTE_FAILED') this.#giveUp(failure)
      else this.#say(stage, failure, consequence)
      return undefined
    }
  }

  #isOver(): boolean {
    return this.#signal.aborted || this.#down.signal.aborted
  }

  #giveUp(failure: Failure): void {
    this.#say(null, failure, GIVEN_UP)
    this.#down.abort()
  }

  /** The plan and the run ask for the same. */
  #say(stage: string | null, { code, message }: Failure, consequence: string): void {
    const text = `${message} ${consequence}`
    if (!this.#said.has(text)) this.#tell(stage, code, text)
    this.#said.add(text)
  }
}

const NOT_RESTORED = 'The result is not taken from there.'
const NOT_PUSHED = 'The result stays here alone; `pipeline push` tries again.'
const GIVEN_UP = 'It is not asked again now; `pipeline push` pushes later what it lacks.'
