import { join } from 'node:path'
import { isPublished, packageRoot } from '../util/package-root.ts'
import { bundle, bundleFile } from './bundle.ts'
import type { Bundle } from './bundle.ts'
import { readJson } from './files.ts'
import { projectAt } from './project.ts'
import type { Project } from './project.ts'
import { StatCache } from './stat-cache.ts'

const made = new Map<string, Promise<Bundle>>()

/** The file that a child process runs: host.ts bundled. */
export const hostBundle = async (): Promise<string> => (await programBundle('pipeline/host.ts')).file

/** The file that is loaded before it where the stage is audited. */
export const auditHookBundle = async (): Promise<string> => (await programBundle('pipeline/audit-hook.ts')).file

/** A program that runs in a process of its own, by its path in lib/; made once. */
export function programBundle(entry: string): Promise<Bundle> {
  const bundled = made.get(entry) ?? make(entry)
  made.set(entry, bundled)
  return bundled
}

/** This package as a project: where its programs lie, bundled. A published package has them ready made. */
export function ownProject(): Project {
  const folder = packageRoot()
  return isPublished() ? { folder, cache: join(folder, 'dist', 'programs') } : projectAt(folder)
}

/** In `ownProject().cache` of a published package: each program's digest and those of its threads. */
export const PROGRAMS = 'programs.json'

/**
 * Bundled, as Node 20 runs no TypeScript, and kept in the cache of this program's own package. Found from the package's
 * folder, because this code may itself run from a bundle elsewhere in it.
 */
async function make(entry: string): Promise<Bundle> {
  const project = ownProject()
  if (isPublished()) return readyMade(entry, project)
  const stats = new StatCache(project.cache)
  const bundled = await bundle(join(project.folder, 'lib', entry), project, stats, 'leave')
  stats.save()
  if (!bundled.ok) throw bundled.error
  return bundled.value
}

function readyMade(entry: string, project: Project): Bundle {
  const programs = readJson(join(project.cache, PROGRAMS)) as Readonly<
    Record<string, Pick<Bundle, 'digest' | 'workers'>>
  >
  const { digest, workers } = programs[entry]!
  return { digest, workers, file: bundleFile(project, digest), from: '', sources: {}, packages: {} }
}
