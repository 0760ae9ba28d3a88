import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Where packages of a pipeline resolve and where caches lie. */
export interface Project {
  /** The nearest folder at or above the pipeline's that has a package.json, else the pipeline's own. */
  readonly folder: string
  /** `node_modules/.cache/pipeline` there: all that a dry run may touch. */
  readonly cache: string
}

export function projectAt(folder: string): Project {
  const found = nearestPackage(folder) ?? folder
  return { folder: found, cache: join(found, 'node_modules', '.cache', 'pipeline') }
}

export function nearestPackage(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at
    if (dirname(at) === at) return undefined
  }
}
