import { lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, rmdirSync, symlinkSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { errorCode } from '../util/error-code.ts'
import { moveAside, token } from './files.ts'
import type { Stage } from './pipeline.ts'

/** `artifacts/<stage>`, or `artifacts/<stage>/<cell>`: the user's view of a stage's current result. */
export function linkPath(artifacts: string, stage: Stage): string {
  const cell = Object.values(stage.cell)
  return cell.length === 0 ? join(artifacts, stage.name) : join(artifacts, stage.name, fileName(cell.join(',')))
}

/** A cell's values may hold what a file name may not. */
const fileName = (cell: string): string => {
  const name = cell.replace(/[^\w.,=+@-]/gu, (character) => encodeURIComponent(character).replaceAll('*', '%2A'))
  return /^\.+$/.test(name) ? name.replaceAll('.', '%2E') : name
}

/** The result folder that a link of ours points to, absolute; undefined where there is none. */
export function linkedFolder(link: string): string | undefined {
  try {
    return resolve(dirname(link), readlinkSync(link))
  } catch {
    return undefined
  }
}

/**
 * Points a stage's link at a result, atomically. What stands in its place and is not a link of ours is moved aside,
 * and its new path given back in `aside`. `assertThere` throws where nothing may be made. A junction on Windows, where links to files and plain folders need a privilege.
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
  if (process.platform === 'win32') symlinkSync(folder, temporary, 'junction')
  else symlinkSync(relative(dirname(path), folder), temporary)
  renameSync(temporary, path)
  return { moved: true, aside }
}

/** The folder of a matrix's cells may be where the stage, before it had a matrix, had its link. */
function makeParent(artifacts: string, parent: string): string[] {
  // `artifacts` itself may be a link of the user's to another disk
  const stat = parent === artifacts ? undefined : lstatSync(parent, { throwIfNoEntry: false })
  const aside = stat === undefined || stat.isDirectory() ? [] : clear(artifacts, parent)
  if (stat?.isSymbolicLink() === true && aside.length === 0) rmSync(parent)
  mkdirSync(parent, { recursive: true })
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

function putAside(artifacts: string, path: string): string {
  try {
    return moveAside(path, join(artifacts, 'store', '.aside'), basename(path))
  } catch (error) {
    // the store is a link to another file system
    if (errorCode(error) !== 'EXDEV') throw error
    return moveAside(path, join(artifacts, '.aside'), basename(path))
  }
}

/** A link into the store. */
function isOurs(artifacts: string, path: string): boolean {
  return linkedFolder(path)?.startsWith(join(artifacts, 'store') + sep) === true
}
