import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { journalFile, journalNames } from '../pipeline/journal.ts'
import { runsFolder } from '../pipeline/live.ts'
import { artifactsOf, storeOf } from '../pipeline/prepare.ts'
import { livingKeys } from '../util/lock.ts'
import type { JournalLine, RunListed } from './api.ts'
import { resultLog } from './results.ts'

/** A journal as far as it was read: runs write on, and a line is taken when it is whole. */
export class JournalReader {
  readonly #file: string
  #at = 0
  #rest: Buffer = Buffer.alloc(0)

  constructor(root: string, run: string) {
    this.#file = journalFile(artifactsOf(root), run)
  }

  /** What was written since the last call. */
  next(): JournalLine[] {
    if (!existsSync(this.#file)) return []
    const fd = openSync(this.#file, 'r')
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(fd).size - this.#at))
      const read = readSync(fd, bytes, 0, bytes.length, this.#at)
      this.#at += read
      return this.#lines(bytes.subarray(0, read))
    } finally {
      closeSync(fd)
    }
  }

  #lines(bytes: Buffer): JournalLine[] {
    const all = Buffer.concat([this.#rest, bytes])
    const end = all.lastIndexOf('\n') + 1
    this.#rest = all.subarray(end)
    return all
      .subarray(0, end)
      .toString('utf8')
      .split('\n')
      .flatMap((line) => parsed(line) ?? [])
  }
}

/** A run that was killed may leave half a line, to which nothing is added. */
function parsed(line: string): JournalLine | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as JournalLine)
  } catch {
    return undefined
  }
}

/** What is known of a run so far. */
interface Known {
  readonly reader: JournalReader
  head: Extract<JournalLine, { type: 'run' }> | undefined
  experiment: string | null
  outcome: RunListed['outcome']
  /** Where each stage's log is said to be: the last that was heard. */
  readonly logs: Map<string, { readonly started?: string; readonly key?: string; readonly failed?: string | null }>
}

/** The runs of a folder in which something ran; each journal is read once, and then as it grows. */
export class Runs {
  readonly #root: string
  readonly #known = new Map<string, Known>()

  constructor(root: string) {
    this.#root = root
  }

  /** Newest first. */
  list(): RunListed[] {
    const living = livingKeys(runsFolder({ root: storeOf(this.#root) }))
    return journalNames(artifactsOf(this.#root)).flatMap((id) => {
      const { head, experiment, outcome } = this.#look(id)
      if (head === undefined) return []
      return { id, at: head.at, experiment, living: outcome === null && living.has(id), outcome }
    })
  }

  /** The log of a stage in a run: where it is written, or where the result lies by now. */
  log(run: string, stage: string): string | undefined {
    const { started, key, failed } = this.#look(run).logs.get(stage) ?? {}
    const done = key === undefined ? undefined : resultLog(this.#root, stage, key)
    return [failed, started, done].find((file) => typeof file === 'string' && existsSync(file)) ?? undefined
  }

  #look(id: string): Known {
    const reader = new JournalReader(this.#root, id)
    const known: Known = this.#known.get(id) ?? {
      reader,
      head: undefined,
      experiment: null,
      outcome: null,
      logs: new Map(),
    }
    this.#known.set(id, known)
    for (const line of known.reader.next()) hear(known, line)
    return known
  }
}

function hear(known: Known, line: JournalLine): void {
  if (line.type === 'run') known.head = line
  if (line.type === 'started') known.experiment = line.experiment
  if (line.type === 'finished') known.outcome = line.experiment === null ? 'incomplete' : 'finished'
  if (line.type === 'stage-started') known.logs.set(line.stage, { started: line.log, key: line.key })
  if (line.type === 'failure' && line.stage !== null)
    known.logs.set(line.stage, { ...known.logs.get(line.stage), failed: line.log })
}

export const isRun = (id: string): boolean => /^[0-9a-f]+$/.test(id)

/** Lines that say how far a stage is, of which a chart needs no more. */
const MOST_PROGRESS = 4000

/** What a long run said so far, without most of what it said of its progress. */
export function thinProgress(lines: readonly JournalLine[]): readonly JournalLine[] {
  const stride = Math.ceil(lines.filter(({ type }) => type === 'stage-progress').length / MOST_PROGRESS)
  return stride <= 1 ? lines : lines.filter(({ type }, i) => type !== 'stage-progress' || i % stride === 0)
}
