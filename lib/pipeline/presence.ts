import { existsSync, statSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import { fileClock } from '../util/file-clock.ts'

/** A store as a run found it, known by a file that the run has in it. */
export class Presence {
  readonly #root: string
  readonly #mark: string
  readonly #identity: string
  /** How far the clock of the store's file system is before ours, in ms. */
  readonly #ahead: number

  constructor(root: string, mark: string, ahead: number) {
    this.#root = root
    this.#mark = mark
    this.#identity = identityOf(root)
    this.#ahead = ahead
  }

  /** In ms since 1970, by the clock of the store's file system. */
  now(): number {
    return Date.now() + this.#ahead
  }

  /** Throws Failure STORE_MISSING, or what the file system says. */
  assert(): void {
    // a machine that stood still for an hour may find its mark cleared away, in a store that is the same
    if (existsSync(this.#mark) || identityOf(this.#root) === this.#identity) return
    const message = `The store "${this.#root}" is not the one that this run began with: it was moved away, or its disk is not mounted any more. Bring it back and run again; what is in it is taken from there.`
    throw new Failure('STORE_MISSING', message, { exitCode: 1 })
  }
}

/** How far the clock by which a folder's file system dates is before ours, in ms. */
export const clockAhead = (folder: string): number => fileClock(folder) - Date.now()

function identityOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.dev} ${stat.ino}`
}
