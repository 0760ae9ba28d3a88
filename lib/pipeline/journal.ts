import { appendFileSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../util/durable.ts'
import { errorCode } from '../util/error-code.ts'
import { Failure } from '../util/failure.ts'
import type { Place } from '../util/failure.ts'
import type { Event } from './event.ts'
import { remove } from './files.ts'
import { upstream } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import type { Store } from './store.ts'

/** The first line of a journal. */
export interface JournalHead {
  readonly type: 'run'
  readonly at: string
  /** What each stage reads, by its id. */
  readonly reads: Readonly<Record<string, readonly string[]>>
}

export interface PlainFailure extends Pick<Failure, 'code' | 'message'> {
  readonly place: Place | null
}

type FailureEvent = Extract<Event, { type: 'failure' }>
type LoggedEvent = Exclude<Event, FailureEvent> | (Omit<FailureEvent, 'failure'> & { readonly failure: PlainFailure })

/** A line of a journal: what `run --json` prints, and when it was, in ms since 1970. */
export type JournalLine = (JournalHead | LoggedEvent) & { readonly time: number }

/** Earlier runs that can be looked at. */
const KEPT = 20
/** Of a stage that says twenty times a second how far it is, so much is enough to see it move. */
const PROGRESS_MS = 200

export const journalsOf = (artifacts: string): string => join(artifacts, 'experiments', '.runs')
export const journalFile = (artifacts: string, run: string): string => join(journalsOf(artifacts), `${run}.jsonl`)

/** Runs that have a journal, newest first: their names begin with when they began. */
export const journalNames = (artifacts: string): string[] =>
  existsSync(journalsOf(artifacts))
    ? readdirSync(journalsOf(artifacts))
        .filter((name) => /^[0-9a-f]+\.jsonl$/.test(name))
        .map((name) => name.replace('.jsonl', ''))
        .sort()
        .reverse()
    : []

/**
 * Writes down what happens in a run, for who looks from another process. Nothing is written of a run in which nothing
 * runs; what stages log is in their own files. `run` is the name under which the run lives.
 */
export function keepJournal({ artifacts, stages, store }: Prepared, run: string): (event: Event) => void {
  const reads = Object.fromEntries(stages.map((stage) => [stage.id, upstream(stage)]))
  const waiting: string[] = [lineOf({ type: 'run', at: new Date().toISOString(), reads })]
  const file = journalFile(artifacts, run)
  const said = new Map<string, number>()
  let begun = false
  return (event) => {
    if (event.type === 'stage-log' || (event.type === 'stage-progress' && isTooSoon(event, said))) return
    waiting.push(lineOf(event.type === 'failure' ? { ...event, failure: plain(event.failure) } : event))
    if (!begun && event.type !== 'stage-started' && event.type !== 'failure') return
    if (!begun) makeRoom(artifacts, store)
    begun = true
    append(file, waiting.splice(0).join(''))
  }
}

const lineOf = (line: JournalHead | LoggedEvent): string => `${JSON.stringify({ ...line, time: Date.now() })}\n`

const plain = ({ code, message, place }: Failure): PlainFailure => ({ code, message, place: place ?? null })

function isTooSoon({ stage, done, total }: Extract<Event, { type: 'stage-progress' }>, said: Map<string, number>) {
  const now = performance.now()
  if (now - (said.get(stage) ?? -Infinity) < PROGRESS_MS && done < total) return true
  said.set(stage, now)
  return false
}

/** A full disk, or one that is gone, ends no run for the sake of its journal. */
function append(file: string, text: string): void {
  try {
    appendFileSync(file, text)
  } catch (error) {
    if (errorCode(error) === undefined) throw error
  }
}

/** Not where the artifacts have gone: a folder in their place would be another's. */
function makeRoom(artifacts: string, store: Store): void {
  try {
    store.assertThere()
    makeFolder(journalsOf(artifacts))
    for (const old of journalNames(artifacts).slice(KEPT - 1)) remove(journalFile(artifacts, old))
  } catch (error) {
    if (errorCode(error) === undefined && !(error instanceof Failure)) throw error
  }
}
