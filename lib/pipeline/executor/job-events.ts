import { appendFileSync, closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { errorCode } from '../../util/error-code.ts'
import { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import type { Event } from '../event.ts'
import type { Second, StageEnd } from '../execute.ts'

/** What a job writes beside its order, one JSON value a line. */
export type JobLine =
  /** It runs, for the first time or again after Slurm had queued it anew. */
  | { readonly type: 'began'; readonly host: string }
  | { readonly type: 'event'; readonly event: Event }
  | ({ readonly type: 'end' } & JobEnd)

/** A StageEnd whose manifest stands in the store. */
export type JobEnd =
  | { readonly outcome: 'ran' | 'fresh' | 'restored'; readonly key: Digest; readonly second?: Second }
  | {
      readonly outcome: 'failed'
      readonly key: Digest
      readonly log: string | null
      readonly failure: Pick<Failure, 'code' | 'message' | 'exitCode' | 'place'> & { readonly detail?: string }
    }

export function endOf(end: StageEnd): JobEnd {
  if (end.outcome === 'failed') {
    const { code, message, exitCode, place, cause } = end.failure
    const detail = typeof cause === 'string' ? { detail: cause } : {}
    return { outcome: 'failed', key: end.key, log: end.log, failure: { code, message, exitCode, place, ...detail } }
  }
  const { outcome, key, second } = end
  return { outcome, key, ...(second === undefined ? {} : { second }) }
}

export const failureOf = ({ failure }: Extract<JobEnd, { outcome: 'failed' }>): Failure =>
  new Failure(failure.code, failure.message, {
    exitCode: failure.exitCode,
    ...(failure.place === undefined ? {} : { place: failure.place }),
    cause: failure.detail,
  })

const FLUSH_MS = 200

export interface LineWriter {
  readonly write: (line: JobLine) => void
  readonly flush: () => void
}

/**
 * Appends lines, those of a fifth of a second at once. The file is opened anew each time: on NFS, what was written is
 * seen on other machines once it is closed.
 */
export function openLines(file: string): LineWriter {
  let lines = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (lines !== '') append(file, lines)
    lines = ''
  }
  const write = (line: JobLine): void => {
    lines += `${JSON.stringify(line)}\n`
    timer ??= setTimeout(flush, FLUSH_MS)
  }
  return { write, flush }
}

/** A full disk, or a folder that a driver has removed, must not end the job: its result counts, which is in the store. */
function append(file: string, text: string): void {
  try {
    appendFileSync(file, text)
  } catch (error) {
    if (errorCode(error) === undefined) throw error
  }
}

const MOST_AT_ONCE = 1 << 20

/** Reads what was added to a file of lines since the last call; nothing where there is no file yet. */
export function tailLines(file: string): () => JobLine[] {
  let at = 0
  let rest: Buffer = Buffer.alloc(0)
  return () => {
    const added = readFrom(file, at)
    if (added.length === 0) return []
    at += added.length
    const text = Buffer.concat([rest, added])
    const end = text.lastIndexOf(0x0a) + 1
    rest = text.subarray(end)
    return text
      .subarray(0, end)
      .toString('utf8')
      .split('\n')
      .flatMap((line) => parse(line) ?? [])
  }
}

function readFrom(file: string, at: number): Buffer {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    return Buffer.alloc(0)
  }
  try {
    const buffer = Buffer.alloc(Math.max(0, Math.min(fstatSync(fd).size - at, MOST_AT_ONCE)))
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, at))
  } finally {
    closeSync(fd)
  }
}

/** A job killed within a write leaves half a line, and its next run goes on behind it. */
function parse(line: string): JobLine | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as JobLine)
  } catch {
    return undefined
  }
}
