import { lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { Failure } from '../util/failure.ts'
import { errorCode } from '../util/error-code.ts'

/** What stands at one path of a tree; `path` is relative to the root with `/`, '' for the root itself. */
export type Entry =
  | { readonly kind: 'file'; readonly path: string; readonly absolute: string; readonly stat: BigIntStats }
  | { readonly kind: 'folder'; readonly path: string }
  /** A link to something in the same tree, by that thing's path, or a broken one, by its text. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

/** How links that leave the tree are taken: followed (their content counts), or refused (a result stands alone). */
export type Links = 'follow' | 'refuse'

/**
 * All entries at and below a path, each folder's names sorted by code unit. Reads no file's content.
 * A FIFO, a socket, a device, a name that is not UTF-8 and a link that runs in a circle are refused by name.
 */
export function walk(path: string, links: Links = 'follow'): Entry[] {
  const root = real(path)
  const entries: Entry[] = []
  visit({ root, links, entries, above: [] }, root, '')
  return entries
}

interface Walk {
  readonly root: string
  readonly links: Links
  readonly entries: Entry[]
  /** Real paths of the folders that are being read, so that a link into one of them is seen as a circle. */
  readonly above: string[]
}

function visit(walk: Walk, absolute: string, path: string): void {
  const stat = statAt(() => lstatSync(absolute, { bigint: true }), absolute)
  if (stat.isSymbolicLink()) visitLink(walk, absolute, path)
  else visitPlain(walk, absolute, path, stat)
}

function visitPlain(walk: Walk, absolute: string, path: string, stat: BigIntStats): void {
  if (stat.isFile()) walk.entries.push({ kind: 'file', path, absolute, stat })
  else if (stat.isDirectory()) visitFolder(walk, absolute, path)
  else
    throw new Failure('INPUT_SPECIAL', `"${absolute}" is a ${specialKind(stat)}: only files and folders have content.`)
}

/** What a client of NFS makes of a file that is removed while a process has it open; it goes when that process ends. */
const SILLY_NAME = /^\.nfs[0-9a-f]{24}$/

function visitFolder(walk: Walk, absolute: string, path: string): void {
  walk.entries.push({ kind: 'folder', path })
  walk.above.push(absolute)
  const names = statAt(() => readdirSync(absolute), absolute).sort()
  for (const [index, name] of names.entries()) {
    // a name that is not UTF-8 is decoded with U+FFFD, which then names nothing, or two names as one
    if (name === names[index - 1]) throw notUtf8(absolute, name)
    if (SILLY_NAME.test(name)) continue
    visit(walk, absolute === sep ? sep + name : absolute + sep + name, path === '' ? name : `${path}/${name}`)
  }
  walk.above.pop()
}

function visitLink(walk: Walk, absolute: string, path: string): void {
  const target = resolveLink(absolute)
  const inside = target === undefined ? undefined : insidePath(walk.root, target)
  if (walk.links === 'refuse') refuseOutside(absolute, inside)
  if (target === undefined) walk.entries.push({ kind: 'link', path, target: `?${readlinkSync(absolute)}` })
  else if (inside !== undefined) walk.entries.push({ kind: 'link', path, target: inside })
  else if (walk.above.includes(target)) throw circle(absolute)
  else
    visitPlain(
      walk,
      target,
      path,
      statAt(() => statSync(target, { bigint: true }), target),
    )
}

/** The real path behind a link; undefined for a broken one. */
function resolveLink(absolute: string): string | undefined {
  try {
    return realpathSync(absolute)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (errorCode(error) === 'ELOOP') throw circle(absolute)
    throw unreadable(absolute, error)
  }
}

function insidePath(root: string, target: string): string | undefined {
  const path = relative(root, target)
  return path === '..' || path.startsWith(`..${sep}`) ? undefined : path.split(sep).join('/')
}

function refuseOutside(absolute: string, inside: string | undefined): void {
  if (inside !== undefined && !readlinkSync(absolute).startsWith(sep)) return
  throw new Failure(
    'OUTPUT_LINK',
    `"${absolute}" is a link to "${readlinkSync(absolute)}": in an output, only relative links to something in the same output keep their meaning. Copy the file instead.`,
    { exitCode: 1 },
  )
}

const circle = (absolute: string): Failure =>
  new Failure('INPUT_LINK', `"${absolute}" is a link that runs in a circle. Remove it.`)

const notUtf8 = (folder: string, name: string): Failure =>
  new Failure('INPUT_NAME', `"${join(folder, name)}" has a name that is not UTF-8. Rename it.`)

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

function statAt<T>(stat: () => T, path: string): T {
  try {
    return stat()
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && path.includes('\uFFFD')) throw notUtf8('', path)
    throw unreadable(path, error)
  }
}

/** Maps what the file system says to a failure that names the path and what to do. */
export function unreadable(path: string, error: unknown): Failure {
  const code = errorCode(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new Failure('INPUT_MISSING', `"${path}" does not exist. Create it, or correct the path.`, { cause: error })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new Failure('INPUT_UNREADABLE', `"${path}" may not be read (${code}). Change its permissions.`, {
      cause: error,
    })
  }
  if (error instanceof Failure) return error
  return new Failure('INPUT_UNREADABLE', `"${path}" cannot be read: ${String(error)}`, { cause: error })
}

function specialKind(stat: BigIntStats): string {
  if (stat.isFIFO()) return 'FIFO'
  if (stat.isSocket()) return 'socket'
  return 'device'
}
