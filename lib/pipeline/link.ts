import {
  lstatSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { makeFolder } from '../util/durable.ts'
import { errorCode } from '../util/error-code.ts'
import { shortened } from './file-names.ts'
import { moveAside, token } from './files.ts'
import type { Stage } from './pipeline.ts'

/** Bytes of the name of a cell's link. */
const MOST_NAME = 100
/** A text that stands in for a link is no longer than a path may be. */
const MOST_TEXT = 4096
/** What is said where no link can be made: by FAT and exFAT, and by Windows, also without the right to make one. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EISDIR'])

/** Whether an error of making a link says that none can be made on this disk. */
export const isWithoutLinks = (error: unknown): boolean => NO_LINKS.has(errorCode(error) ?? '')

/** `artifacts/<stage>`, or `artifacts/<stage>/<cell>`: the user's view of a stage's current result. */
export function linkPath(artifacts: string, stage: Stage): string {
  const cell = Object.values(stage.cell)
  return cell.length === 0 ? join(artifacts, stage.name) : join(artifacts, stage.name, fileName(cell.join(',')))
}

/** A cell's values may hold what a file name may not. */
const fileName = (cell: string): string => {
  const name = cell.replace(/[^\w.,=+@-]/gu, (character) => encodeURIComponent(character).replaceAll('*', '%2A'))
  return shortened(/^\.+$/.test(name) ? name.replaceAll('.', '%2E') : name, MOST_NAME)
}

/**
 * The folder that a link points to, or a text file which stands in for one, absolute; undefined where there is neither.
 */
export function linkedFolder(link: string): string | undefined {
  try {
    return resolve(dirname(link), readlinkSync(link))
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : writtenFolder(link)
  }
}

/** An absolute path that leads through what stands in for links, as the one that it means. */
export function throughLinks(path: string): string {
  for (let at = path; dirname(at) !== at; at = dirname(at)) {
    const folder = writtenFolder(at)
    if (folder?.includes(join(sep, 'artifacts', 'store', sep)) === true) return join(folder, relative(at, path))
  }
  return path
}

/** What stands in for a link holds one line, the path that the link would have. */
function writtenFolder(file: string): string | undefined {
  try {
    const stat = lstatSync(file)
    if (!stat.isFile() || stat.size > MOST_TEXT) return undefined
    const [, path] = /^([^\n]+)\n$/.exec(readFileSync(file, 'utf8')) ?? []
    return path === undefined ? undefined : resolve(dirname(file), path)
  } catch {
    return undefined
  }
}

/**
 * Points a stage's link at a result, atomically. What stands in its place and is not a link of ours is moved aside,
 * and its new path given back in `aside`. `assertThere` throws where nothing may be made. Where links cannot be made, a
 * text file with the path stands in for one.
 */
export function link(
  artifacts: string,
  stage: Stage,
  folder: string,
  assertThere: () => void,
): { moved: boolean; aside: readonly string[] } {
  const path = linkPath(artifacts, stage)
  if (linkedFolder(path) === folder) return { moved: false, aside: [] }
  assertThere()
  const aside = [...makeParent(artifacts, dirname(path)), ...clear(artifacts, path)]
  // not in the store, which may be a link to another file system
  const temporary = join(artifacts, `.link-${token()}`)
  makeLink(temporary, folder, relative(dirname(path), folder))
  // a rename there puts nothing in the place of a junction, which is a folder
  if (process.platform === 'win32') rmSync(path, { force: true })
  renameSync(temporary, path)
  return { moved: true, aside }
}

/** A junction on Windows, where links to files and plain folders need a privilege. */
function makeLink(temporary: string, folder: string, path: string): void {
  try {
    if (process.platform === 'win32') symlinkSync(folder, temporary, 'junction')
    else symlinkSync(path, temporary)
  } catch (error) {
    if (!isWithoutLinks(error)) throw error
    // with `/`, as the disk may go to another system
    writeFileSync(temporary, `${path.replaceAll(sep, '/')}\n`, { flag: 'wx' })
  }
}

/** The folder of a matrix's cells may be where the stage, before it had a matrix, had its link. */
function makeParent(artifacts: string, parent: string): string[] {
  // `artifacts` itself may be a link of the user's to another disk
  const stat = parent === artifacts ? undefined : lstatSync(parent, { throwIfNoEntry: false })
  const aside = stat === undefined || stat.isDirectory() ? [] : clear(artifacts, parent)
  if (stat?.isDirectory() === false && aside.length === 0) rmSync(parent)
  makeFolder(parent)
  return aside
}

function clear(artifacts: string, path: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || isOurs(artifacts, path)) return []
  if (stat.isDirectory() && readdirSync(path).every((name) => isOurs(artifacts, join(path, name)))) {
    for (const name of readdirSync(path)) rmSync(join(path, name))
    rmdirSync(path)
    return []
  }
  return [putAside(artifacts, path)]
}

/** Moves what is in the way out of it, and gives where it is then. */
export function putAside(artifacts: string, path: string, name = basename(path)): string {
  try {
    return moveAside(path, join(artifacts, 'store', '.aside'), name)
  } catch (error) {
    // the store is a link to another file system
    if (errorCode(error) !== 'EXDEV') throw error
    return moveAside(path, join(artifacts, '.aside'), name)
  }
}

/** A link into the store. */
function isOurs(artifacts: string, path: string): boolean {
  return linkedFolder(path)?.startsWith(join(artifacts, 'store') + sep) === true
}
