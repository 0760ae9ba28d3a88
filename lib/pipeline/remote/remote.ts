import type { Readable } from 'node:stream'
import { Failure } from '../../util/failure.ts'

/** What is written under a name; opened anew for each attempt. */
export interface Content {
  readonly size: number
  /** A stream that fails at its end where it was not what it had to be: then nothing may stand under the name. */
  readonly open: () => Readable
}

/**
 * A store of objects by name (`objects/ab/abcd…`, parts apart by `/`), shared with others. All verbs throw a Failure
 * REMOTE_FAILED where the store cannot be reached or refuses, after a bounded time.
 */
export interface Remote {
  /** As the user wrote it. */
  readonly address: string
  /** The object's bytes from its beginning; undefined where there is none. */
  read(name: string, signal: AbortSignal): Promise<Readable | undefined>
  /** Its bytes' number; undefined where there is none. */
  size(name: string, signal: AbortSignal): Promise<number | undefined>
  /** There whole or not at all; replaces what was there. */
  write(name: string, content: Content, signal: AbortSignal): Promise<void>
  /** Writes a text where there is none yet; false where there is one. Of many at once, one alone is told true. */
  create(name: string, text: string, signal: AbortSignal): Promise<boolean>
  /** Removes an object, if there is one. */
  remove(name: string, signal: AbortSignal): Promise<void>
  /** Names that begin with `prefix`, sorted. */
  list(prefix: string, signal: AbortSignal): Promise<string[]>
}

export const remoteFailure = (address: string, what: string, cause?: unknown): Failure =>
  new Failure('REMOTE_FAILED', `The remote "${address}" ${what}`, { exitCode: 1, cause })

/** What is in the remote is not what it must be; the message names the object. */
export const remoteDamage = (address: string, name: string, what: string): Failure =>
  new Failure('REMOTE_DAMAGED', `"${name}" in the remote "${address}" ${what}`, { exitCode: 1 })
