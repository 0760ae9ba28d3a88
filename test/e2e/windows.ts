import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** As Microsoft's "Naming Files, Paths, and Namespaces" has them. */
const RESERVED = ['CON', 'PRN', 'AUX', 'NUL', 'CONIN$', 'CONOUT$'].concat(
  ['COM', 'LPT'].flatMap((name) => '0 1 2 3 4 5 6 7 8 9 ¹ ² ³'.split(' ').map((digit) => name + digit)),
)
const CHARACTERS = /[<>:"|?*\\\p{Cc}]/gu

/** A path has 259 characters, of which the project's folder has some: `C:\Users\firstname\projects\distil\` has so many. */
const FOR_THE_PROJECT = 35
export const MOST_PATH = 259 - FOR_THE_PROJECT
const MOST_NAME = 255

/** What Windows would say against a path from the project's folder on: one sentence a fault. */
export function faultsOf(path: string): string[] {
  const faults = path.split('/').flatMap((name) => faultsOfName(name).map((fault) => `"${path}": ${fault}`))
  return path.length > MOST_PATH ? [...faults, `"${path}" has ${path.length} characters`] : faults
}

function faultsOfName(name: string): string[] {
  const stem = name.split('.')[0]!.trimEnd().toUpperCase()
  const bad = name.match(CHARACTERS) ?? []
  return [
    ...bad.map((character) => `a name with ${JSON.stringify(character)}`),
    ...(/[. ]$/.test(name) ? ['a name that ends in a dot or a space'] : []),
    ...(RESERVED.includes(stem) ? [`the name of a device, ${stem}`] : []),
    ...(name.length > MOST_NAME || Buffer.byteLength(name) > MOST_NAME ? [`a name of ${name.length} characters`] : []),
  ]
}

/** Paths of one folder that a disk takes for one which tells case and Unicode forms not apart. */
export function alike(paths: Iterable<string>): string[] {
  const seen = new Map<string, string>()
  return [...new Set(paths)].flatMap((path) => {
    const fold = join(dirname(path), basename(path).normalize('NFC').toLowerCase())
    const other = seen.get(fold)
    seen.set(fold, path)
    return other === undefined ? [] : [`"${path}" and "${other}" are one`]
  })
}

/** All that is below a folder, with `/`; links are not followed. */
export const pathsBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true }).map((entry) =>
    join(entry.parentPath, entry.name)
      .slice(folder.length + 1)
      .replaceAll('\\', '/'),
  )
