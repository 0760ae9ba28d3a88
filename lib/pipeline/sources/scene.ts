import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'
import type { Digest } from '../canonical.ts'
import type { ExperimentRecord } from '../experiment.ts'
import { pathHere } from '../recorded.ts'
import { contentOf } from '../stage-inputs.ts'
import type { StatCache } from '../stat-cache.ts'
import { Commit } from './commit.ts'
import { laySource } from './lay.ts'
import type { Wanted } from './lay.ts'
import { copiesOf, use } from './pool.ts'

/** Where the stages of an experiment find its sources as it read them. */
export interface Scene {
  /** The folder of the pipeline, or one that looks like it. */
  readonly root: string
  /** Where a recorded path leads, absolute or relative to `root`. */
  readonly at: (path: string) => string
  /** Sources that are others in the working tree, by path as recorded. */
  readonly others: readonly string[]
}

/** A source that is not as it was. */
interface Changed {
  readonly path: string
  readonly digest: Digest
  /** In the working tree. */
  readonly here: string
  readonly found: Digest | undefined
}

/**
 * The working tree where all sources are as they were. Else a folder below `folder` that looks like it, with the
 * experiment's own sources in their places and links to all else, so that a program which names its files itself reads
 * them too. The working tree is only read.
 */
export async function setScene(
  root: string,
  record: ExperimentRecord,
  folder: string,
  stats: StatCache,
): Promise<Result<Scene, Failure[]>> {
  const changed = await changedSources(root, record, stats)
  if (changed.length === 0) return ok({ root, at: pathHere, others: [] })
  const tree = join(folder, 'tree')
  const commit = await Commit.find(root, record.git.commit)
  const places = new Map<string, string>()
  const failures: Failure[] = []
  for (const [index, source] of changed.entries()) {
    const inside = insidePath(root, source.here)
    let to = join(tree, inside ?? '')
    // a part of a folder that is laid by now
    const isLaid = inside !== undefined && (await contentOf(stats, to)) === source.digest
    if (inside === undefined || (!isLaid && existsSync(to)))
      to = join(folder, 'outside', `${index}`, basename(source.here))
    places.set(source.path, to)
    const why = isLaid ? undefined : await lay(root, record, { ...source, commit }, to, stats)
    if (why !== undefined) failures.push(sourceChanged(source, why))
  }
  if (failures.length > 0) return err(failures)
  mkdirSync(tree, { recursive: true })
  linkRest(
    root,
    tree,
    changed.flatMap(({ here }) => insidePath(root, here) ?? []),
  )
  const at = (path: string): string => places.get(path) ?? fromElsewhere(root, pathHere(path))
  return ok({ root: tree, at, others: [...places.keys()] })
}

/** Folders before what they hold. */
async function changedSources(root: string, record: ExperimentRecord, stats: StatCache): Promise<readonly Changed[]> {
  const changed: Changed[] = []
  for (const [path, digest] of Object.entries(record.sources)) {
    const here = resolve(root, pathHere(path))
    const found = await contentOf(stats, here)
    if (found !== digest) changed.push({ path, digest, here, found })
  }
  return changed.sort((a, b) => a.here.length - b.here.length)
}

function lay(
  root: string,
  { hash }: ExperimentRecord,
  source: Omit<Wanted, 'copies'>,
  to: string,
  stats: StatCache,
): Promise<string | undefined> {
  const copies = copiesOf(root, hash, source.digest)
  use(copies[0])
  return laySource({ ...source, copies }, to, stats)
}

function sourceChanged({ path, digest, found }: Changed, why: string): Failure {
  const what = found === undefined ? 'nothing that can be read' : `content of digest ${found}`
  const message = `The source "${path}" is not what the experiment read: expected content of digest ${digest}, found ${what}; ${why}. Put it back as it was.`
  return new Failure('SOURCE_CHANGED', message)
}

/** From the pipeline's folder on; undefined for what is not in it, and for all of it. */
function insidePath(root: string, path: string): string | undefined {
  const inside = relative(root, path)
  return inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? undefined : inside
}

/** What leads out of the pipeline's folder means something else in another one. */
const fromElsewhere = (root: string, path: string): string =>
  insidePath(root, resolve(root, path)) === undefined ? resolve(root, path) : path

/** Links to all that a folder has, but for what is laid. */
function linkRest(from: string, to: string, laid: readonly string[]): void {
  for (const name of namesIn(from)) {
    const below = laid.filter((path) => path.startsWith(name + sep)).map((path) => path.slice(name.length + 1))
    if (laid.includes(name)) continue
    if (below.length === 0) linkTo(join(from, name), join(to, name))
    else linkRest(join(from, name), join(to, name), below)
  }
}

/** None where the user removed the folder, or put a file in its place. */
const namesIn = (folder: string): string[] =>
  statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : []

function linkTo(target: string, path: string): void {
  const isFolder = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true
  try {
    symlinkSync(target, path, isFolder ? 'junction' : 'file')
  } catch {
    // a disk without links, or a user who may make none; a folder has no stand-in
    if (!isFolder) copyFileSync(target, path, constants.COPYFILE_FICLONE)
  }
}
