import { chmodSync, lstatSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isExecutable } from './executable.ts'
import { walk } from './walk.ts'

/**
 * Makes an output's files 0444 (programs 0555) and folders 0755: a later stage reads them right here. Gives the bytes of
 * all files. Throws the Failure of an output that is missing or a link.
 */
export function freeze(path: string): number {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw absent(path)
  if (lstatSync(path).isSymbolicLink()) throw linked(path)
  let bytes = 0
  for (const entry of walk(path, 'refuse')) {
    if (entry.kind === 'folder') chmodSync(join(path, entry.path), 0o755)
    if (entry.kind !== 'file') continue
    chmodSync(entry.absolute, isExecutable(entry.stat) ? 0o555 : 0o444)
    bytes += Number(entry.stat.size)
  }
  return bytes
}

const absent = (path: string): Failure =>
  new Failure(
    'OUTPUT_MISSING',
    `The stage ended well but did not write its output "${relative(join(path, '..'), path)}".`,
    { exitCode: 1 },
  )

const linked = (path: string): Failure =>
  new Failure('OUTPUT_LINK', `The output "${path}" is a link; a result stands alone. Copy the file instead.`, {
    exitCode: 1,
  })
