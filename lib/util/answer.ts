import { Failure } from './failure.ts'
import { writeAll } from './write-all.ts'

/** A tool of lib/tools writes here, one JSON value a line: engines may write to standard output. */
export const ANSWER_FD = 3

/** What a tool says to the command that asked it: anything but an answer as often as it likes, then that, once. */
export type Said =
  | { readonly type: 'part'; readonly part: unknown }
  /** So many bytes of `what` are here. */
  | { readonly type: 'fetching'; readonly what: string; readonly done: number; readonly total: number }
  | Answer
export type Answer =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'failure'; readonly code: string; readonly message: string; readonly exitCode: 1 | 2 }

export const say = (said: Said): void => writeAll(ANSWER_FD, `${JSON.stringify(said)}\n`)

/** Says what `work` gives, or the failure that it throws. */
export async function answer(work: () => Promise<unknown>): Promise<void> {
  let said: Answer
  try {
    said = { type: 'value', value: await work() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    said = { type: 'failure', code: error.code, message: error.message, exitCode: error.exitCode }
  }
  say(said)
}
