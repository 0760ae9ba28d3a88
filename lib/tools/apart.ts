import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { ANSWER_FD } from '../util/answer.ts'
import type { Said } from '../util/answer.ts'

/** What a process said before it ended, and how it ended, where it gave no answer. */
export interface Apart {
  readonly parts: readonly unknown[]
  readonly answer: { readonly value: unknown } | { readonly state: 'crashed' | 'silent'; readonly why: string }
}

/**
 * Runs Node in a process of its own, where a library may crash or hang. It speaks as a tool does. After so many seconds it
 * is killed.
 */
export async function runApart(args: readonly string[], seconds: number): Promise<Apart> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  const stop = (): void => void child.kill('SIGKILL')
  process.once('exit', stop)
  const timer = setTimeout(stop, seconds * 1000)
  const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (code, signal) => resolve([code, signal])),
  )
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-2000)))
  const said = await linesOf(child.stdio[ANSWER_FD] as Readable)
  const [code, signal] = await ended
  clearTimeout(timer)
  process.off('exit', stop)
  const parts = said.flatMap((one) => (one.type === 'part' ? [one.part] : []))
  const answer = said.find((one) => one.type === 'value')
  if (answer) return { parts, answer }
  if (child.killed) return { parts, answer: { state: 'silent', why: `did not answer in ${seconds} s` } }
  return { parts, answer: { state: 'crashed', why: crash(code, signal, errors) } }
}

/** The last is half a line where it was killed. */
async function linesOf(stream: Readable): Promise<readonly Said[]> {
  const said: Said[] = []
  for await (const line of createInterface({ input: stream })) {
    try {
      said.push(JSON.parse(line) as Said)
    } catch {
      break
    }
  }
  return said
}

/** `crashed (SIGSEGV)`, and of what it wrote last, one line. */
function crash(code: number | null, signal: NodeJS.Signals | null, errors: string): string {
  const line = errors
    .split('\n')
    .map((one) => one.trim())
    .filter((one) => /error|fail|abort|terminate|cannot/i.test(one))[0]
  return `crashed (${signal ?? `exit code ${code ?? 'none'}`})${line === undefined ? '' : `: ${line.slice(0, 200)}`}`
}
