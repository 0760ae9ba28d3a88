import { join } from 'node:path'
import { packageRoot } from '../util/package-root.ts'
import { bundle } from './bundle.ts'
import { projectAt } from './project.ts'
import { StatCache } from './stat-cache.ts'

let made: Promise<string> | undefined

/**
 * The file that a child process runs: host.ts bundled, as Node 20 runs no TypeScript, and kept in the cache of this
 * program's own package. Found from the package's folder, because this code may itself run from a bundle elsewhere in it.
 */
export const hostBundle = (): Promise<string> => (made ??= makeHost())

async function makeHost(): Promise<string> {
  const folder = packageRoot()
  const project = projectAt(folder)
  const stats = new StatCache(project.cache)
  const bundled = await bundle(join(folder, 'lib', 'pipeline', 'host.ts'), project, stats, 'leave')
  stats.save()
  if (!bundled.ok) throw bundled.error
  return bundled.value.file
}
