import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package: the nearest one with a package.json above this code, bundled or not. */
export const packageRoot = (): string => (found ??= find(dirname(fileURLToPath(import.meta.url))))

/**
 * A program that a published package has ready made, by the name of its source; undefined in a clone, which has a lockfile
 * and bundles its sources itself.
 */
export function readyMade(name: string): string | undefined {
  const root = packageRoot()
  return existsSync(join(root, 'package-lock.json')) ? undefined : join(root, 'dist', 'programs', `${name}.mjs`)
}

let found: string | undefined

function find(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const above = dirname(folder)
  if (above === folder) throw new Error('Internal error: this code lies in no package')
  return find(above)
}
