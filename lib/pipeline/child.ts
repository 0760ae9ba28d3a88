import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import type { Message } from './host-protocol.ts'
import { TASK_VARIABLE, killStrays, signalGroup } from './process-group.ts'
import { openLog } from './stage-log.ts'

export interface ChildOptions {
  /** Node with the bundle of host.ts and the file with the job. */
  readonly command: readonly string[]
  /** Names this run of the stage, in every process that comes of it. */
  readonly task: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly log: string
  readonly timeoutSeconds: number | undefined
  /** How long a stage has from SIGTERM to SIGKILL, to write a checkpoint. */
  readonly graceSeconds: number
  /** Asks the stage to stop. */
  readonly signal: AbortSignal
  /** Ends it at once. */
  readonly kill: AbortSignal
  readonly onMessage: (message: Message) => void
  readonly onLine: (line: string) => void
}

export interface ChildEnd {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly timedOut: boolean
}

const DRAIN_MS = 2000
/** Both ends of four pipes, of the one by which the kernel says that it could start the program, and what stands in for stdin. */
const DESCRIPTORS = 11
/** The longest that setTimeout takes; a longer one would be over at once. */
const LONGEST_MS = 2 ** 31 - 1

/** Runs a host in a process group of its own and leaves nothing of it behind. Rejects when it cannot be started. */
export async function runChild(options: ChildOptions): Promise<ChildEnd> {
  const { execa } = await import('execa')
  const log = openLog(options.log, options.onLine)
  const [program, ...args] = options.command
  assertRoom()
  const child = execa(program!, args, {
    cwd: options.cwd,
    env: { ...options.env, [TASK_VARIABLE]: options.task },
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`A child process could not be started: ${(await child).message ?? ''}`)
  const ended = new Promise<Omit<ChildEnd, 'timedOut'>>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
  })
  const streams = [child.stdout, child.stderr, child.stdio[3]]
  for (const stream of [child.stdout, child.stderr]) stream.on('data', log.write)
  readMessages(child.stdio[3], options.onMessage)
  const stopper = stopGroup(pid, options)
  try {
    return { ...(await ended), timedOut: stopper.timedOut() }
  } finally {
    stopper.dispose()
    signalGroup(pid, 'SIGKILL')
    killStrays(options.task)
    await drained(streams)
    log.close()
  }
}

/** Where there is no room for its pipes execa throws, and leaves an error behind that ends this process. Throws EMFILE. */
function assertRoom(): void {
  const open: number[] = []
  try {
    while (open.length < DESCRIPTORS) open.push(openSync(devNull, 'r'))
  } finally {
    open.forEach((fd) => closeSync(fd))
  }
}

function readMessages(stream: Readable, onMessage: (message: Message) => void): void {
  createInterface({ input: stream }).on('line', (line) => {
    const message = parseMessage(line)
    if (message !== undefined) onMessage(message)
  })
}

/** A stage may write to any descriptor: what is no message of the host is none. */
function parseMessage(line: string): Message | undefined {
  try {
    return JSON.parse(line) as Message
  } catch {
    return undefined
  }
}

interface Stopper {
  readonly timedOut: () => boolean
  readonly dispose: () => void
}

/** SIGTERM on cancellation or time-out, SIGKILL when the grace is over or at the second Ctrl-C. */
function stopGroup(pid: number, options: ChildOptions): Stopper {
  const timers: NodeJS.Timeout[] = []
  let timedOut = false
  const after = (seconds: number, act: () => void): void => {
    timers.push(setTimeout(act, Math.min(seconds * 1000, LONGEST_MS)))
  }
  const kill = (): void => signalGroup(pid, 'SIGKILL')
  const stop = (): void => {
    signalGroup(pid, 'SIGTERM')
    after(options.graceSeconds, kill)
  }
  if (options.timeoutSeconds !== undefined) {
    after(options.timeoutSeconds, () => {
      timedOut = true
      stop()
    })
  }
  const removers = [onAbort(options.signal, stop), onAbort(options.kill, kill)]
  const dispose = (): void => {
    for (const timer of timers) clearTimeout(timer)
    for (const remove of removers) remove()
  }
  return { timedOut: () => timedOut, dispose }
}

function onAbort(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act()
  signal.addEventListener('abort', act)
  return () => signal.removeEventListener('abort', act)
}

/** What was written is read to its end; a process that left the group may hold the pipe open, so not for ever. */
async function drained(streams: readonly Readable[]): Promise<void> {
  const timer = setTimeout(() => streams.forEach((stream) => stream.destroy()), DRAIN_MS)
  await Promise.allSettled(streams.map((stream) => finished(stream, { writable: false })))
  clearTimeout(timer)
}
