import { join } from 'node:path'
import { differs } from '../util/tolerance.ts'
import type { Compared } from '../util/tolerance.ts'
import { isExecutable } from './executable.ts'
import { walk } from './walk.ts'
import type { Entry } from './walk.ts'

export interface EntryCompared {
  /** In the tree; '' for the root. */
  readonly path: string
  readonly compared: Compared
}

/** Holds all that stands in two outputs against each other: `compare` does it for two files. */
export function* compareTrees(
  expected: string,
  found: string,
  compare: (expected: string, found: string) => Compared,
): Generator<EntryCompared> {
  const [a, b] = [entriesOf(expected), entriesOf(found)]
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    const [kindA, kindB] = [kindOf(a.get(path)), kindOf(b.get(path))]
    if (kindA !== kindB) yield { path, compared: differs('', kindA, kindB) }
    else if (a.get(path)!.kind === 'file') yield { path, compared: compare(join(expected, path), join(found, path)) }
  }
}

const entriesOf = (path: string): ReadonlyMap<string, Entry> =>
  new Map(walk(path, 'refuse').map((entry) => [entry.path, entry] as const))

function kindOf(entry: Entry | undefined): string {
  if (entry === undefined) return 'none'
  if (entry.kind === 'file') return isExecutable(entry.stat) ? 'a program' : 'a file'
  return entry.kind === 'folder' ? 'a folder' : `a link to "${entry.target}"`
}
