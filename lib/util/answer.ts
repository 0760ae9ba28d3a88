import { Failure } from './failure.ts'

/** What a tool of lib/tools prints as its last line; engines may write to standard output before it. */
export type Answer =
  | { readonly value: unknown }
  | { readonly failure: { readonly code: string; readonly message: string; readonly exitCode: 1 | 2 } }

/** Prints what `work` gives, or the failure that it throws. */
export async function answer(work: () => Promise<unknown>): Promise<void> {
  let said: Answer
  try {
    said = { value: await work() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    said = { failure: { code: error.code, message: error.message, exitCode: error.exitCode } }
  }
  process.stdout.write(`\n${JSON.stringify(said)}\n`)
}
