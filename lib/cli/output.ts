import { constants } from 'node:os'
import type { Failure } from '../util/failure.ts'
import { wordFailure } from './words.ts'

let clearBelow: () => void = () => undefined

/** Something is drawn under all that is written: `clear` takes it away before each line. Gives what ends that. */
export function keepBelow(clear: () => void): () => void {
  clearBelow = clear
  return () => (clearBelow = () => undefined)
}

function put(stream: NodeJS.WriteStream, text: string): void {
  clearBelow()
  stream.write(`${text}\n`)
}

/** Prints a line for people, or a JSON document, on standard output. */
export const write = (text: string): void => put(process.stdout, text)

/**
 * Prints a part of something long, as it is, and waits where its reader is slow. Ends the process where the reader has
 * gone (`| head`): nobody waits for the rest.
 */
export const writePart = (text: string): Promise<void> =>
  new Promise((resolve) => {
    process.stdout.write(text, (error) => (error ? process.exit() : resolve()))
  })

export const writeJson = (value: unknown): void => write(JSON.stringify(value))
/** What is no result: mistakes and notices. */
export const writeError = (text: string): void => put(process.stderr, text)

/** A failure as JSON: an Error's own message would be left out. */
export const failureJson = ({ code, message, exitCode, place }: Failure): Readonly<Record<string, unknown>> => ({
  code,
  message,
  exitCode,
  place: place ?? null,
})

/** Words failures on standard error, and as one JSON document on standard output where that was asked for. */
export function writeFailures(failures: readonly Failure[], json: boolean): void {
  for (const failure of failures) writeError(wordFailure(failure))
  if (json) writeJson({ failures: failures.map(failureJson) })
}

/** The exit code of a command that failed before it did anything: 2 where one of the failures is the user's. */
export const exitCodeOf = (failures: readonly Failure[]): number =>
  Math.max(...failures.map(({ exitCode }) => exitCode))

/** A reader that has gone (`| head`, a closed terminal) must not end a run that others wait for. */
export function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** Ends the process once everything written has reached its reader. */
export function exit(code: number): void {
  process.exitCode = code
  process.stdout.write('', () => process.stderr.write('', () => end(code)))
}

/**
 * At its exit Node sets the terminal back to what it was, and crashes where that is gone; the signal that told so ends
 * the process with the same code, to who asks a shell for it.
 */
function end(code: number): void {
  // standard input costs its making, and is made when it is named
  const onTerminal = (): boolean => [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY)
  if (code === 128 + constants.signals.SIGHUP && onTerminal()) {
    process.removeAllListeners('SIGHUP')
    process.kill(process.pid, 'SIGHUP')
  }
  process.exit(code)
}
