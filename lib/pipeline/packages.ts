import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { readJson } from './files.ts'
import { installedClosure } from './installed-packages.ts'
import { nearestPackage } from './project.ts'

/** What runs the numbers is chosen by the machine and stands outside the key, with all that only it needs. */
const ENGINES = /^(onnxruntime-(node|web|common)|koffi|@tensorflow\/.*)$/

interface LockEntry {
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}
type LockEntries = Readonly<Record<string, LockEntry>>

/** `@a/b/c` and `b/c` are packages `@a/b` and `b`; a module of Node is none. */
export function packageName(specifier: string): string | undefined {
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) return undefined
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** Whose imports are meant. */
export interface Importer {
  /** The folder whose package-lock.json counts, or whose node_modules where it has none. */
  readonly project: string
  /** The importer's own folder in it. */
  readonly folder: string
}

/** A module of the project itself, or of a package: one that is linked brings its own lockfile. */
export function importerOf(project: string, entry: string): Importer {
  const folder = nearestPackage(dirname(entry)) ?? project
  for (let at: string | undefined = folder; at !== undefined; at = above(at)) {
    if (at === project || existsSync(join(at, 'package-lock.json'))) return { project: at, folder }
  }
  return { project, folder }
}

const above = (folder: string): string | undefined =>
  dirname(folder) === folder ? undefined : nearestPackage(dirname(folder))

/**
 * The packages that code importing `names` can reach, by their place in node_modules, as `version integrity` of
 * package-lock.json (npm's format 3); without a lockfile, as `installedClosure`.
 */
export function packageClosure(
  { project, folder }: Importer,
  names: readonly string[],
  leftOut = ENGINES,
): Result<Record<string, string>, Failure> {
  const lock = readLock(project)
  if (lock === undefined) {
    const installed = installedClosure(project, folder, names, leftOut)
    return installed.ok ? installed : err(missing(installed.error, 'it is not installed'))
  }
  const from = relative(project, folder).split(sep).join('/')
  const found: Record<string, string> = {}
  const queue = names.map((name) => ({ name, from, optional: false }))
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (leftOut.test(next.name)) continue
    const place = resolve(lock, next.from, next.name)
    const entry = place === undefined ? undefined : lock[place]
    if (place === undefined || entry === undefined) {
      if (next.optional) continue
      return err(missing(next.name, 'package-lock.json does not have it'))
    }
    if (Object.hasOwn(found, place)) continue
    found[place] = `${entry.version ?? 'linked'} ${entry.integrity ?? ''}`.trim()
    queue.push(...dependencies(entry, place))
  }
  return ok(
    Object.fromEntries(
      Object.entries(found).map(([place, version]) => [place.replace(/^node_modules\//, ''), version]),
    ),
  )
}

/** Where the engines and all that they can reach lie in node_modules: what a stage may load although no key has it. */
export function enginePlaces(project: string): readonly string[] {
  const places = Object.keys(readLock(project) ?? {}).map((place) => place.replace(/^node_modules\//, ''))
  const closure = packageClosure(
    { project, folder: project },
    places.filter((place) => ENGINES.test(place)),
    /^$/,
  )
  return closure.ok ? Object.keys(closure.value) : []
}

/**
 * The versions of the packages at these places in node_modules: as installed; as locked where one is not installed, which
 * may be meant for another platform; undefined where neither knows it.
 */
export function versionsAt(project: string, places: readonly string[]): ReadonlyMap<string, string | undefined> {
  const lock = readLock(project)
  const versionOf = (place: string) => installedVersion(project, place) ?? lock?.[`node_modules/${place}`]?.version
  return new Map(places.map((place) => [place, versionOf(place)]))
}

function readLock(project: string): LockEntries | undefined {
  const lock = readJson(join(project, 'package-lock.json'))
  if (typeof lock !== 'object' || lock === null || Array.isArray(lock)) return undefined
  return (lock as { readonly packages?: LockEntries }).packages
}

/** Node's own way: beside the importer first, then one node_modules up at a time. */
function resolve(lock: LockEntries, from: string, name: string): string | undefined {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const place = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`
    if (lock[place] !== undefined) return place
    if (base === '') return undefined
  }
}

const dependencies = (entry: LockEntry, from: string): { name: string; from: string; optional: boolean }[] => [
  ...Object.keys(entry.dependencies ?? {}).map((name) => ({ name, from, optional: false })),
  ...Object.keys({ ...entry.optionalDependencies, ...entry.peerDependencies }).map((name) => ({
    name,
    from,
    optional: true,
  })),
]

function installedVersion(project: string, name: string): string | undefined {
  try {
    const text = readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')
    return (JSON.parse(text) as { version?: string }).version
  } catch {
    return undefined
  }
}

const missing = (name: string, why: string): Failure =>
  new Failure('PACKAGE_MISSING', `The package "${name}" is imported, but ${why}. Run \`npm install ${name}\`.`)
