import { join } from 'node:path'
import { packageRoot } from '../util/package-root.ts'
import { bundle } from './bundle.ts'
import type { Bundle } from './bundle.ts'
import { projectAt } from './project.ts'
import { StatCache } from './stat-cache.ts'

const made = new Map<string, Promise<Bundle>>()

/** The file that a child process runs: host.ts bundled. */
export const hostBundle = async (): Promise<string> => (await programBundle('host.ts')).file

/** The file that is loaded before it where the stage is audited. */
export const auditHookBundle = async (): Promise<string> => (await programBundle('audit-hook.ts')).file

/** A program of lib/pipeline that runs in a process of its own; made once. */
export function programBundle(entry: string): Promise<Bundle> {
  const bundled = made.get(entry) ?? make(entry)
  made.set(entry, bundled)
  return bundled
}

/**
 * Bundled, as Node 20 runs no TypeScript, and kept in the cache of this program's own package. Found from the package's
 * folder, because this code may itself run from a bundle elsewhere in it.
 */
async function make(entry: string): Promise<Bundle> {
  const folder = packageRoot()
  const project = projectAt(folder)
  const stats = new StatCache(project.cache)
  const bundled = await bundle(join(folder, 'lib', 'pipeline', entry), project, stats, 'leave')
  stats.save()
  if (!bundled.ok) throw bundled.error
  return bundled.value
}
