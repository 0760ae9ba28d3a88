import { Failure } from './failure.ts'
import { err, ok } from './result.ts'
import type { Result } from './result.ts'

/** What a tool of lib/tools prints as its last line; engines may write to standard output before it. */
export type Answer<T = unknown> =
  | { readonly value: T }
  | { readonly failure: { readonly code: string; readonly message: string; readonly exitCode: 1 | 2 } }

/** Prints what `work` gives, or the failure that it throws. */
export async function answer(work: () => Promise<unknown>): Promise<void> {
  process.stdout.write(`\n${JSON.stringify(await attempt(work))}\n`)
}

/** What `work` gives, or the failure that it throws, as JSON can hold it. */
export async function attempt<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { failure: { code: error.code, message: error.message, exitCode: error.exitCode } }
  }
}

/** What such JSON holds. */
export function received<T>(said: Answer<T>): Result<T, Failure> {
  if ('value' in said) return ok(said.value)
  const { code, message, exitCode } = said.failure
  return err(new Failure(code, message, { exitCode }))
}
