import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Failure } from '../util/failure.ts'
import type { Digest } from './canonical.ts'
import type { Prepared } from './prepare.ts'
import type { StatCache } from './stat-cache.ts'
import { walk } from './walk.ts'

/** A file or folder that a plan was made from. */
export interface Dependency {
  /** `tree`: a source input, a file or folder, hashed with names and modes. */
  readonly kind: 'file' | 'tree'
  /** Of the content that was read; null where there was none. */
  readonly digest: Digest | null
}

/** By absolute path. */
export type Dependencies = ReadonlyMap<string, Dependency>

/** All that the stages of a run come from: their modules with what these import, and source inputs. */
export function dependenciesOf({ pipeline, project, identities, sources }: Prepared): Map<string, Dependency> {
  const found = new Map<string, Dependency>()
  for (const { bundle } of identities.values()) {
    for (const [path, digest] of Object.entries(bundle?.sources ?? {}))
      found.set(resolve(project.folder, path), { kind: 'file', digest })
  }
  for (const [path, digest] of sources) found.set(resolve(pipeline.root, path), { kind: 'tree', digest })
  return found
}

/** The same paths with their contents as they are now. */
export async function readAgain(dependencies: Iterable<[string, Pick<Dependency, 'kind'>]>, stats: StatCache) {
  const found = new Map<string, Dependency>()
  for (const [path, { kind }] of dependencies) found.set(path, { kind, digest: await digestNow(path, kind, stats) })
  return found
}

async function digestNow(path: string, kind: Dependency['kind'], stats: StatCache): Promise<Digest | null> {
  try {
    return kind === 'file' ? (stats.file(path) ?? null) : (await stats.tree(path)).digest
  } catch (error) {
    // unreadable, or gone in the middle: not what was read before, in any case
    if (error instanceof Failure || (error instanceof Error && 'code' in error)) return null
    throw error
  }
}

/** Where to look for changes of these. */
export interface Lookout {
  readonly folders: ReadonlySet<string>
  /** An event counts if it names one of these paths … */
  readonly paths: ReadonlySet<string>
  /** … or stands in one of these folders, all of whose content is an input. */
  readonly trees: ReadonlySet<string>
}

/** The folders that hold a dependency, where its name is and where links lead, and all folders inside of one. */
export function lookoutFor(dependencies: Dependencies): Lookout {
  const folders = new Set<string>()
  const paths = new Set<string>()
  const trees = new Set<string>()
  for (const [path, { kind }] of dependencies) {
    for (const name of [path, realOrNothing(path)]) {
      if (name === undefined) continue
      folders.add(existingFolder(dirname(name)))
      for (let at = name; !paths.has(at); at = dirname(at)) paths.add(at)
    }
    if (kind === 'tree') for (const folder of foldersIn(path)) trees.add(folder)
  }
  return { folders: new Set([...folders, ...trees]), paths, trees }
}

function foldersIn(path: string): string[] {
  try {
    const root = realpathSync(path)
    return walk(path).flatMap((entry) => {
      if (entry.kind === 'folder') return [realpathSync(join(root, entry.path))]
      return entry.kind === 'file' && entry.path !== '' ? [dirname(entry.absolute)] : []
    })
  } catch {
    return [] // gone meanwhile: its parent is watched
  }
}

/** The folders of a project in which a user may put what is missing: not what is installed, hidden or made by runs. */
export function foldersOf(root: string): string[] {
  const below = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() && isOwn(entry.name))
  return [root, ...below.flatMap(({ name }) => foldersOf(join(root, name)))]
}

export const isOwn = (name: string): boolean =>
  !name.startsWith('.') && name !== 'node_modules' && name !== 'artifacts' && !name.endsWith('.tmp')

function existingFolder(folder: string): string {
  let at = folder
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at)
  return at
}

function realOrNothing(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
