import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { codes } from '../util/codes/index.ts'
import type { Code } from '../util/codes/index.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { errorCode } from '../util/error-code.ts'
import { writeAll } from '../util/write-all.ts'
import { messageOf } from './files.ts'
import { MESSAGE_FD } from './host-protocol.ts'
import type { Job, Message } from './host-protocol.ts'
import { endOwnGroup } from './process-group.ts'
import { resolveFrom } from './resolve-from.ts'
import { holdBeside } from '../util/lock.ts'
import type { Progress } from './stage.ts'

async function runJob(job: Job): Promise<void> {
  startWatchdog()
  if (!job.locks.every(({ folder, key, token }) => holdBeside(folder, key, token))) process.exit(1)
  const abort = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => abort.abort())
  try {
    if (job.program.kind === 'module') await runModule(job, job.program, abort.signal)
    else await runCommand(job, job.program.argv)
    send({ type: abort.signal.aborted ? 'cancelled' : 'done' })
    process.exit(0)
  } catch (error) {
    send(abort.signal.aborted ? { type: 'cancelled' } : failure(error))
    process.exit(1)
  }
}

function startWatchdog(): void {
  const isOrphan = new Int32Array(new SharedArrayBuffer(4))
  new Worker(new URL('./watchdog.ts', import.meta.url), { workerData: isOrphan }).unref()
  process.on('exit', () => {
    if (Atomics.load(isOrphan, 0) === 1) endOwnGroup()
  })
}

interface StageModule {
  readonly default?: {
    readonly params?: JsonObject
    readonly in?: readonly string[]
    readonly out?: readonly string[]
    readonly extend?: readonly string[]
    readonly run?: (context: unknown) => Promise<void>
  }
}

async function load(bundle: string, from: string): Promise<StageModule> {
  if (from !== '') resolveFrom(from)
  return (await import(pathToFileURL(bundle).href)) as StageModule
}

async function runModule(
  job: Job,
  { bundle, from }: { readonly bundle: string; readonly from: string },
  signal: AbortSignal,
): Promise<void> {
  const { default: stage } = await load(bundle, from)
  if (typeof stage?.run !== 'function') throw new Error('The module has no default export made by defineStage().')
  await stage.run({
    with: job.with,
    in: job.in,
    out: job.out,
    checkpoint: job.checkpoint,
    engine: job.engine,
    signal,
    log: (message: string) => tell(1, `${message}\n`),
    progress: throttled((progress) => send({ type: 'progress', progress, memory: process.memoryUsage.rss() })),
    ranOn: (device: string) => send({ type: 'ran-on', device }),
  })
}

/** At most twenty a second, and the last one always. */
function throttled(report: (progress: Progress) => void): (progress: Progress) => void {
  let last = -Infinity
  return (progress) => {
    const now = performance.now()
    if (now - last < 50 && progress.done < progress.total) return
    last = now
    report(progress)
  }
}

/** The program is in this process's group, where the driver's signals reach it. */
async function runCommand(job: Job, argv: readonly string[]): Promise<void> {
  const [program, ...args] = argv
  const child = spawn(program!, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...variables(job) },
  })
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (...ended) => resolve(ended))
  })
  if (code !== 0) throw new CommandFailure(program!, code, signal)
}

/** `PIPELINE_IN_NAME`, `PIPELINE_OUT_NAME`; a map of cells is JSON. */
function variables(job: Job): Record<string, string> {
  const named = (kind: string, values: Readonly<Record<string, Json>>): [string, string][] =>
    Object.entries(values).map(([name, value]) => [
      `PIPELINE_${kind}_${variableName(name)}`,
      typeof value === 'string' ? value : JSON.stringify(value),
    ])
  return {
    ...Object.fromEntries([...named('IN', job.in), ...named('OUT', job.out)]),
    PIPELINE_WITH: JSON.stringify(job.with),
    PIPELINE_CHECKPOINT: job.checkpoint,
    PIPELINE_THREADS: String(job.engine.threads),
  }
}

const variableName = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, '_')

class CommandFailure extends Error {
  readonly code = 'COMMAND_FAILED'
  readonly exitCode = 1
  constructor(program: string, code: number | null, signal: NodeJS.Signals | null) {
    const how = signal === null ? `exit code ${code ?? '?'}` : `signal ${signal} (${constants.signals[signal]})`
    super(`"${program}" ended with ${how}; a stage has succeeded when its program ends with 0.`)
  }
}

/** One of another's own means nothing to those who read ours. */
function codeOf(error: unknown): Code {
  const code = errorCode(error)
  return code !== undefined && Object.hasOwn(codes, code) ? (code as Code) : 'STAGE_FAILED'
}

/** A Failure of lib/util keeps its code and its text; its class is another one in each bundle. */
function failure(error: unknown): Message {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const known = error instanceof Error && 'exitCode' in error ? codeOf(error) : undefined
  if (known !== undefined) {
    const exitCode = (error as { exitCode?: unknown }).exitCode === 2 ? 2 : 1
    return { type: 'failure', code: known, message: messageOf(error), exitCode, stack: '' }
  }
  if (errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT') {
    const message = `The disk is full: make room and run again. (${messageOf(error)})`
    return { type: 'failure', code: 'DISK_FULL', message, exitCode: 1, stack }
  }
  return { type: 'failure', code: 'STAGE_FAILED', message: messageOf(error), exitCode: 1, stack }
}

const send = (message: Message): void => tell(MESSAGE_FD, `${JSON.stringify(message)}\n`)

/** Does nothing where the driver is gone: so is this process in a moment. */
function tell(fd: number, text: string): void {
  try {
    writeAll(fd, text)
  } catch (error) {
    if (errorCode(error) !== 'EPIPE') throw error
  }
}

/** Reads each stage's declarations; a module that cannot be loaded gives its error in its place. */
async function describe(out: string, files: readonly string[]): Promise<void> {
  const described: Json[] = []
  for (let i = 0; i < files.length; i += 2) described.push(await describeOne(files[i]!, files[i + 1]!))
  writeFileSync(out, JSON.stringify(described))
  process.exit(0)
}

async function describeOne(bundle: string, from: string): Promise<Json> {
  try {
    const { default: stage } = await load(bundle, from)
    if (typeof stage?.run !== 'function') return { error: 'it has no default export made by defineStage()' }
    const { params = {}, in: inputs = [], out = [], extend = [] } = stage
    return { params, in: inputs, out, extend }
  } catch (error) {
    return { error: messageOf(error) }
  }
}

/**
 * What runs in the child process of a stage, as the leader of its process group: a module's `run`, or a program.
 * `node host.mjs JOB.json`, or `node host.mjs --describe OUT.json (BUNDLE FROM)…`.
 */
const [first, ...rest] = process.argv.slice(2)
if (first === '--describe') await describe(rest[0]!, rest.slice(1))
else await runJob(JSON.parse(readFileSync(first!, 'utf8')) as Job)
