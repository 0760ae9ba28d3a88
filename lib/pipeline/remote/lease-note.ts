import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { processExists, startOf, thisHost } from '../../util/this-host.ts'

/** What stands in a lease: who has it, and how often it was renewed. */
export interface LeaseNote {
  readonly token: string
  /** Of the machine, for its own processes; `name` is for people. */
  readonly host: string
  readonly name: string
  readonly pid: number
  readonly start: string
  readonly since: string
  readonly beat: number
}

const MOST_CHARACTERS = 100

export const newNote = (): LeaseNote => ({
  token: randomBytes(6).toString('hex'),
  host: thisHost(),
  name: hostname(),
  pid: process.pid,
  start: startOf(process.pid) ?? '',
  since: new Date().toISOString(),
  beat: 0,
})

export const noteText = (note: LeaseNote): string => `${JSON.stringify(note)}\n`

/** What stands in a lease; undefined where it is half written, or nothing of ours. */
export function parseNote(text: string): Partial<LeaseNote> | undefined {
  try {
    const note: unknown = JSON.parse(text)
    return typeof note === 'object' && note !== null ? note : undefined
  } catch {
    return undefined
  }
}

/** Whether a lease is of a process of this machine that is no more: nobody need wait until it expires. */
export function isOfDead(text: string): boolean {
  const { host, pid, start } = parseNote(text) ?? {}
  if (host !== thisHost() || typeof pid !== 'number') return false
  return !processExists(pid) || (startOf(pid) ?? start) !== start
}

/** `process 4711 on node7, since 2026-11-26 14:02:05 UTC`. Others write to the remote too: printable, and not much. */
export function describeNote(text: string): string {
  const { pid, name, since } = parseNote(text) ?? {}
  if (typeof name !== 'string') return 'another machine'
  const at = typeof since === 'string' ? `, since ${since.slice(0, 19).replace('T', ' ')} UTC` : ''
  return `process ${String(pid)} on ${name}${at}`.slice(0, MOST_CHARACTERS).replace(/\p{C}/gu, '?')
}
