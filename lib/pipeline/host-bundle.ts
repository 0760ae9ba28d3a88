import { join } from 'node:path'
import { packageRoot, readyMade } from '../util/package-root.ts'
import { bundle } from './bundle.ts'
import { projectAt } from './project.ts'
import { StatCache } from './stat-cache.ts'

let host: Promise<string> | undefined
let hook: Promise<string> | undefined

/** The file that a child process runs: host.ts bundled. */
export const hostBundle = (): Promise<string> => (host ??= make('host'))

/** The file that is loaded before it where the stage is audited. */
export const auditHookBundle = (): Promise<string> => (hook ??= make('audit-hook'))

/**
 * Bundled, as Node 20 runs no TypeScript, and kept in the cache of this program's own package. Found from the package's
 * folder, because this code may itself run from a bundle elsewhere in it.
 */
async function make(entry: string): Promise<string> {
  const ready = readyMade(entry)
  if (ready !== undefined) return ready
  const folder = packageRoot()
  const project = projectAt(folder)
  const stats = new StatCache(project.cache)
  const bundled = await bundle(join(folder, 'lib', 'pipeline', `${entry}.ts`), project, stats, 'leave')
  stats.save()
  if (!bundled.ok) throw bundled.error
  return bundled.value.file
}
