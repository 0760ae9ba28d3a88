import type { Code } from './codes/index.ts'
import { Failure } from './failure.ts'
import { err, ok } from './result.ts'
import type { Result } from './result.ts'
import { writeAll } from './write-all.ts'

/** A tool of lib/tools writes here, one JSON value a line: engines may write to standard output. */
export const ANSWER_FD = 3

/** What a tool says to the command that asked it: anything but an answer as often as it likes, then that, once. */
export type Said =
  | { readonly type: 'part'; readonly part: unknown }
  /** So many bytes of `what` are here. */
  | { readonly type: 'fetching'; readonly what: string; readonly done: number; readonly total: number }
  | Answer

/** A result as JSON can hold it. */
export type Answer<T = unknown> =
  | { readonly type: 'value'; readonly value: T }
  | { readonly type: 'failure'; readonly code: Code; readonly message: string; readonly exitCode: 1 | 2 }

export const say = (said: Said): void => writeAll(ANSWER_FD, `${JSON.stringify(said)}\n`)

/** Says what `work` gives, or the failure that it throws. */
export const answer = async (work: () => Promise<unknown>): Promise<void> => say(await attempt(work))

/** What `work` gives, or the failure that it throws. */
export async function attempt<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { type: 'value', value: await work() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { type: 'failure', code: error.code, message: error.message, exitCode: error.exitCode }
  }
}

export const received = <T>(answer: Answer<T>): Result<T, Failure> =>
  answer.type === 'value'
    ? ok(answer.value)
    : err(new Failure(answer.code, answer.message, { exitCode: answer.exitCode }))
