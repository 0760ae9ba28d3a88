import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package: the nearest one with a package.json above this code, bundled or not. */
export const packageRoot = (): string => (found ??= find(dirname(fileURLToPath(import.meta.url))))

/** Whether this is a package as it is published: such have no lockfile, and in dist/ what a clone makes when it is needed. */
export const isPublished = (): boolean =>
  !existsSync(join(packageRoot(), 'package-lock.json')) && existsSync(join(packageRoot(), 'dist', 'main.cjs'))

let found: string | undefined

function find(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const above = dirname(folder)
  if (above === folder) throw new Error('Internal error: this code lies in no package')
  return find(above)
}
