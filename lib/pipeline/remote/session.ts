import pLimit from 'p-limit'
import type { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import type { Manifest } from '../manifest.ts'
import { storeFailure } from '../store.ts'
import type { ResultPlace, Store } from '../store.ts'
import type { RemoteAddress } from './address.ts'
import { pushExperiment } from './experiments.ts'
import { openRemote } from './open.ts'
import type { Remote } from './remote.ts'
import { fetchResult, findResult, pushResult } from './results.ts'
import type { Channel } from './results.ts'

/** Told what is worth saying of the remote; `stage` is the one that it is about. */
export type Tell = (stage: string | null, code: string, message: string) => void

const TRANSFERS_AT_ONCE = 8

/** A channel to a remote, for a command that fails with it. */
export function makeChannel(remote: Remote, signal: AbortSignal): Channel {
  return { remote, signal, limit: pLimit(TRANSFERS_AT_ONCE), wrong: new Set<Digest>() }
}

export async function openSession(address: RemoteAddress, signal: AbortSignal, tell: Tell): Promise<RemoteSession> {
  return new RemoteSession(makeChannel(await openRemote(address), signal), tell)
}

/**
 * What a run asks of a remote. No failure of it is the run's: what is damaged is said and taken as absent; a remote
 * that cannot be reached is said once and not asked again.
 */
export class RemoteSession {
  readonly #channel: Channel
  readonly #tell: Tell
  readonly #said = new Set<string>()
  readonly #pushes = new Set<Promise<void>>()
  #isDown = false

  constructor(channel: Channel, tell: Tell) {
    this.#channel = channel
    this.#tell = tell
  }

  get address(): string {
    return this.#channel.remote.address
  }

  /** The manifest of a result that the remote has. */
  async find(stage: string, place: ResultPlace): Promise<Manifest | undefined> {
    return (await this.#ask(stage, NOT_RESTORED, () => findResult(this.#channel, place)))?.manifest
  }

  /** Fetches a result that the store does not have. Who calls holds the key's lock. */
  restore(stage: string, store: Store, place: ResultPlace): Promise<Manifest | undefined> {
    return this.#ask(stage, NOT_RESTORED, () => fetchResult(this.#channel, store, place))
  }

  /** Pushes a result of the store in the background, see `settle`. */
  push(stage: string, store: Store, place: ResultPlace, manifest: Manifest): void {
    this.#inBackground(stage, () => pushResult(this.#channel, store, place, manifest))
  }

  /** The same for the record of an experiment whose results were pushed. */
  pushRecord(root: string, hash: string): void {
    this.#inBackground(null, () => pushExperiment(this.#channel, root, hash))
  }

  /** Waits for what is pushed in the background. */
  async settle(): Promise<void> {
    const { size } = this.#pushes
    await Promise.all(this.#pushes)
    if (size === 0 || !this.#channel.signal.aborted) return
    this.#tell(
      null,
      'PUSH_STOPPED',
      'Results may not have been pushed before the stop. `pipeline push` pushes the rest.',
    )
  }

  #inBackground(stage: string | null, push: () => Promise<unknown>): void {
    const pushed = this.#ask(stage, NOT_PUSHED, push).then(() => void this.#pushes.delete(pushed))
    this.#pushes.add(pushed)
  }

  async #ask<T>(stage: string | null, consequence: string, ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#isDown) return undefined
    try {
      return await ask()
    } catch (error) {
      if (this.#channel.signal.aborted) return undefined
      const failure = storeFailure(error, 'the remote was asked')
      if (failure.code === 'REMOTE_FAILED') this.#giveUp(failure)
      else this.#say(stage, failure, consequence)
      return undefined
    }
  }

  #giveUp(failure: Failure): void {
    if (!this.#isDown) this.#say(null, failure, GIVEN_UP)
    this.#isDown = true
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
