import type { Code } from './codes/index.ts'

/** A place in a file that a user can edit; line and column count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
  /** The text of that line, so that a message can show it with a caret. */
  readonly text?: string
}

/**
 * A failure that a user or the world caused: what `lib/` returns or throws for it.
 * `exitCode` 2 is a mistake of the user (bad configuration, bad input), 1 a stage or the machine that failed.
 * The message says what was expected, what was found and what to do.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: Code
  readonly exitCode: 1 | 2
  readonly place: Place | undefined
  constructor(code: Code, message: string, options: { exitCode?: 1 | 2; place?: Place; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.exitCode = options.exitCode ?? 2
    this.place = options.place
  }
}
