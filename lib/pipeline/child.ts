import { closeSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { errorCode } from './files.ts'
import type { Message } from './host-protocol.ts'

export interface ChildOptions {
  /** The bundle of host.ts. */
  readonly host: string
  /** The file with the job. */
  readonly job: string
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

const LOG_BYTES = 64 * 1024 * 1024
const LINE_CHARACTERS = 4096
const DRAIN_MS = 2000

/** Runs a host in a process group of its own and leaves nothing of the group behind. Rejects when it cannot start. */
export async function runChild(options: ChildOptions): Promise<ChildEnd> {
  const { execa } = await import('execa')
  const log = openSync(options.log, 'a')
  const child = execa(process.execPath, ['--enable-source-maps', options.host, options.job], {
    cwd: options.cwd,
    env: options.env,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  })
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal, timedOut: false }))
  })
  const writer = logWriter(log, options.onLine)
  const streams = [child.stdout, child.stderr, child.stdio[3] as Readable]
  for (const stream of streams.slice(0, 2)) stream.on('data', writer.write)
  createInterface({ input: streams[2]! }).on('line', (line) => options.onMessage(JSON.parse(line) as Message))
  const stopper = stopGroup(child.pid, options)
  try {
    const end = await ended
    return { ...end, timedOut: stopper.timedOut() }
  } finally {
    stopper.dispose()
    killGroup(child.pid, 'SIGKILL')
    await drained(streams)
    writer.end()
    closeSync(log)
  }
}

interface Stopper {
  timedOut(): boolean
  dispose(): void
}

/** SIGTERM on cancellation or time-out, SIGKILL when the grace is over or at the second Ctrl-C. */
function stopGroup(pid: number | undefined, options: ChildOptions): Stopper {
  const timers: NodeJS.Timeout[] = []
  let timedOut = false
  const kill = (): void => killGroup(pid, 'SIGKILL')
  const stop = (): void => {
    killGroup(pid, 'SIGTERM')
    timers.push(setTimeout(kill, options.graceSeconds * 1000))
  }
  const expire = (): void => {
    timedOut = true
    stop()
  }
  if (options.timeoutSeconds !== undefined) timers.push(setTimeout(expire, options.timeoutSeconds * 1000))
  const dispose = [onAbort(options.signal, stop), onAbort(options.kill, kill)]
  return {
    timedOut: () => timedOut,
    dispose: () => {
      timers.forEach(clearTimeout)
      dispose.forEach((remove) => remove())
    },
  }
}

function onAbort(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act()
  signal.addEventListener('abort', act)
  return () => signal.removeEventListener('abort', act)
}

/** The whole group: children and grandchildren that nobody else would end. */
function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

/** What was written is read to its end; a process that left the group may hold the pipe open, so not for ever. */
async function drained(streams: readonly Readable[]): Promise<void> {
  const all = Promise.allSettled(streams.map((stream) => finished(stream, { writable: false })))
  const timer = setTimeout(() => streams.forEach((stream) => stream.destroy()), DRAIN_MS)
  await all
  clearTimeout(timer)
}

/** Log file and lines, in bounded memory and bounded disk whatever a stage writes. */
function logWriter(fd: number, onLine: (line: string) => void): { write(chunk: Buffer): void; end(): void } {
  let written = 0
  let line = ''
  const write = (chunk: Buffer): void => {
    const room = LOG_BYTES - written
    if (room <= 0) return
    written += chunk.length
    writeLog(fd, chunk.length > room ? chunk.subarray(0, room) : chunk)
    if (chunk.length >= room) writeLog(fd, `\n[cut: a log keeps its first ${LOG_BYTES} bytes]\n`)
    const lines = (line + chunk.toString('utf8')).split('\n')
    line = lines.pop()!.slice(0, LINE_CHARACTERS)
    for (const text of lines) onLine(text.slice(0, LINE_CHARACTERS))
  }
  return { write, end: () => (line === '' ? undefined : onLine(line)) }
}

/** A full disk must not end the run for the sake of a log; what the stage itself writes will tell. */
function writeLog(fd: number, data: Buffer | string): void {
  try {
    writeSync(fd, typeof data === 'string' ? Buffer.from(data) : data)
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error
  }
}
