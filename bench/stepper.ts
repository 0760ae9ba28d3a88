import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Account } from './figures.ts'

/** The wall and CPU milliseconds of each step; some say more. */
export interface Steps {
  readonly wall: readonly number[]
  readonly cpu: readonly number[]
  readonly version: string
  /** Milliseconds of a step, of a process that was started with the argument "profile"; it answers once. */
  readonly account?: Account
}

/** A process that runs N steps for each line "N", and answers with one line of JSON. */
export interface Stepper {
  readonly run: (count: number) => Promise<Steps>
  readonly close: () => Promise<void>
  /** Ends it in the middle of a step. */
  readonly kill: () => void
}

export function startStepper(program: string, args: readonly string[], env: Record<string, string> = {}): Stepper {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    run: async (count) => {
      child.stdin.write(`${count}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error(`${program} ended without an answer`)
      return JSON.parse(line.value) as Steps
    },
    close: async () => {
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
    kill: () => void child.kill('SIGKILL'),
  }
}
