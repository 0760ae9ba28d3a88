import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from './lock.ts'
import type { Lock } from './lock.ts'

const MOST_CHARACTERS = 300

/** Writes into a lock's file what those who wait for it are told beside the process. Only words: a lock is its name. */
export function annotate({ folder, key, token }: Lock, note: string): void {
  try {
    const [own] = filesOf(folder, key).filter((name) => name.endsWith(`-${token}`))
    if (own !== undefined) writeFileSync(join(folder, own), note, { flag: 'r+' })
  } catch {
    // a full disk, or a reader of odd rights: the lock holds without it
  }
}

/** `process 4711 (on node7, since 2026-11-26 14:02:05 UTC)`; undefined where nobody has the lock. */
export function holderOf(folder: string, key: string): string | undefined {
  const told = filesOf(folder, key).map((name) => describeHolder(folder, name))
  return told.find((text) => text.includes('(')) ?? told[0]
}

/** The same of one file; without the part in parentheses where the file is not to be read. */
export function describeHolder(folder: string, name: string): string {
  const pid = `process ${parse(name)?.pid ?? '?'}`
  const note = noteOf(join(folder, name))
  return note === '' ? pid : `${pid} (${[note, ...sinceOf(join(folder, name))].join(', ')})`
}

/** Another user may have written it, and it goes to a terminal: printable characters, and not too many. */
function noteOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, MOST_CHARACTERS).replace(/\p{C}/gu, '?')
  } catch {
    return ''
  }
}

function sinceOf(file: string): string[] {
  // zero where the file system does not tell
  const made = statSync(file, { throwIfNoEntry: false })?.birthtimeMs ?? 0
  return made > 0 ? [`since ${new Date(made).toISOString().slice(0, 19).replace('T', ' ')} UTC`] : []
}

function filesOf(folder: string, key: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(`.lock-${key}-`))
  } catch {
    return []
  }
}
