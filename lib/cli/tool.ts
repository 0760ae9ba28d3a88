import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { programBundle } from '../pipeline/host-bundle.ts'
import { ANSWER_FD, received } from '../util/answer.ts'
import type { Answer, Said } from '../util/answer.ts'
import { Failure } from '../util/failure.ts'
import { NO_TELEMETRY } from '../util/telemetry.ts'
import { fetchingPrinter } from './fetching.ts'

interface AskHooks {
  /** What it says before its answer; may make it wait. */
  readonly onPart?: (part: unknown) => void | Promise<void>
  readonly signal?: AbortSignal | undefined
}

/**
 * Asks a program of lib/tools, in a process of its own because only such may load the engines. Throws its Failure,
 * TOOL_FAILED where it gave no answer, or TOOL_STOPPED.
 */
export async function askTool(
  name: string,
  args: readonly string[],
  { onPart = () => undefined, signal }: AskHooks = {},
): Promise<unknown> {
  const { file } = await programBundle(`tools/${name}.ts`)
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...NO_TELEMETRY },
    signal,
  })
  child.on('error', () => undefined) // it was stopped; `close` follows
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const errors: string[] = []
  child.stderr!.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const printFetching = fetchingPrinter()
  let answer: Answer | undefined
  for await (const said of messages(child.stdio[ANSWER_FD] as Readable)) {
    if (said.type === 'part') await onPart(said.part)
    else if (said.type === 'fetching') printFetching(said)
    else answer = said
  }
  const code = await ended
  if (signal?.aborted === true) throw new Failure('TOOL_STOPPED', `"${name}" was stopped.`, { exitCode: 1 })
  if (!answer) {
    const why = errors.join('').trim().slice(-500)
    throw new Failure('TOOL_FAILED', `"${name}" gave no answer (exit code ${code ?? 'none'}): ${why}`, { exitCode: 1 })
  }
  const result = received(answer)
  if (result.ok) return result.value
  throw result.error
}

async function* messages(stream: Readable): AsyncGenerator<Said> {
  let rest = ''
  for await (const text of stream.setEncoding('utf8')) {
    const lines = (rest + (text as string)).split('\n')
    rest = lines.pop()! // a program that is killed may leave half a line
    for (const line of lines) yield JSON.parse(line) as Said
  }
}
