import { dirname, join } from 'node:path'
import type { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { digestOf } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { readSealed, writeAtomic, writeSealed } from './files.ts'
import type { DynamicImports } from './bundle-build.ts'
import { importerOf, packageClosure } from './packages.ts'
import { nearestPackage } from './project.ts'
import type { Project } from './project.ts'
import type { StatCache } from './stat-cache.ts'

/** The code of a stage as it is hashed and as it is run. */
export type Bundle = {
  /** sha256 of the bytes: the code digest. */
  readonly digest: Digest
  /** Absolute path of `<digest>.mjs`, where its packages resolve. */
  readonly file: string
  /** The file of a module in a package, by which what it imports is found; else ''. */
  readonly from: string
  /** Digests of its worker threads' bundles, which lie beside it; their names stand in its bytes. */
  readonly workers: readonly Digest[]
  /** Source files by path relative to the project, with their digests: what to look at when the code changed. */
  readonly sources: Readonly<Record<string, Digest>>
  /** See `packageClosure`. */
  readonly packages: Readonly<Record<string, string>>
}

/** Raised when the options of the bundling change; esbuild's own version is pinned exactly in package.json. */
const BUNDLING = 1

/**
 * Bundles a module with all project code it imports, packages left external. Where no source has changed since the
 * last time, that bundle is taken and esbuild is not loaded.
 */
export async function bundle(
  entry: string,
  project: Project,
  stats: StatCache,
  dynamicImports: DynamicImports = 'refuse',
): Promise<Result<Bundle, Failure>> {
  const memo = join(project.cache, 'bundles', `${digestOf(['bundle', BUNDLING, entry])}.json`)
  const known = remembered(memo, entry, project, stats)
  if (known !== undefined) return ok(known)
  const { build } = await import('./bundle-build.ts')
  const built = await build(entry, project.folder, dynamicImports)
  if (!built.ok) return built
  const { code, workers, sources, imports } = built.value
  for (const { digest, bytes } of [...workers, code]) {
    const file = bundleFile(project, digest)
    if (stats.file(file) !== digest) writeAtomic(file, bytes, false)
  }
  const importer = importerOf(project.folder, entry)
  const packages = packageClosure(importer, imports)
  if (!packages.ok) return err(packages.error)
  const lock = lockDigest(importer.project, packages.value, stats)
  const digests = Object.fromEntries(sources.map((source) => [source.path, source.digest]))
  const record = {
    digest: code.digest,
    workers: workers.map((w) => w.digest),
    sources: digests,
    packages: packages.value,
  }
  writeSealed(memo, { ...record, lock })
  return ok({ ...record, file: bundleFile(project, code.digest), from: fromOf(entry, project) })
}

export const bundleFile = (project: Project, digest: Digest): string => join(project.cache, `${digest}.mjs`)

/** The last bundling of this entry, if every source, the lockfile and the bundles are as they were. */
function remembered(memo: string, entry: string, project: Project, stats: StatCache): Bundle | undefined {
  const record = readSealed(memo) as unknown as (Omit<Bundle, 'file' | 'from'> & { readonly lock: Digest }) | undefined
  if (record === undefined) return undefined
  const { project: locked } = importerOf(project.folder, entry)
  if (record.lock !== lockDigest(locked, record.packages, stats)) return undefined
  for (const [path, digest] of Object.entries(record.sources)) {
    if (stats.file(join(project.folder, path)) !== digest) return undefined
  }
  for (const digest of [record.digest, ...record.workers]) {
    if (stats.file(bundleFile(project, digest)) !== digest) return undefined
  }
  const { digest, workers, sources, packages } = record
  return { digest, file: bundleFile(project, digest), from: fromOf(entry, project), workers, sources, packages }
}

const fromOf = (entry: string, project: Project): string =>
  nearestPackage(dirname(entry)) === project.folder ? '' : entry

/** Of the lockfile; where there is none, of the package.json of each package that is reached. */
function lockDigest(project: string, packages: Bundle['packages'], stats: StatCache): Digest {
  const lock = stats.file(join(project, 'package-lock.json'))
  if (lock !== undefined) return lock
  const places = Object.keys(packages).map((place) => join(project, 'node_modules', place, 'package.json'))
  return digestOf(['installed', ...places.map((file) => stats.file(file) ?? null)])
}
