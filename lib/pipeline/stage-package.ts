import { existsSync, realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { exports as exported } from 'resolve.exports'
import type { Package } from 'resolve.exports'
import { Failure } from '../util/failure.ts'
import { packageRoot } from '../util/package-root.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { readJson } from './files.ts'
import { packageName } from './packages.ts'
import { nearestPackage } from './project.ts'

const PREFIX = 'npm:'

export const isPackaged = (run: string): boolean => run.startsWith(PREFIX)

/**
 * The file of `run: npm:PACKAGE/SUBPATH`, as the package's `exports` have it, with links followed; else what is wrong. A
 * package is looked for as Node looks for it, and this one is always there.
 */
export function packagedModule(root: string, run: string): Result<string, string> {
  const specifier = run.slice(PREFIX.length)
  const name = packageName(specifier) ?? ''
  const folder = packageFolder(root, name)
  if (folder === undefined) return err(`The package "${name}" is not installed. Run \`npm install ${name}\`.`)
  const file = exportedFile(folder, `.${specifier.slice(name.length)}`)
  if (file !== undefined && existsSync(file)) return ok(realpathSync(file))
  return err(`The package "${name}" has no module "${specifier}". Look at \`exports\` in its package.json.`)
}

/** What a package offers under a subpath; a TypeScript source where it says that it has one. */
export function exportedFile(folder: string, subpath: string): string | undefined {
  const manifest = readJson(join(folder, 'package.json')) as unknown as Package & { readonly main?: string }
  if (manifest.exports === undefined) return join(folder, subpath === '.' ? (manifest.main ?? 'index.js') : subpath)
  try {
    const [file] = exported(manifest, subpath, { conditions: ['source'] }) ?? []
    return file === undefined ? undefined : join(folder, file)
  } catch {
    return undefined // it throws for what is not among them
  }
}

function packageFolder(root: string, name: string): string | undefined {
  const own = packageRoot()
  if ((readJson(join(own, 'package.json')) as { readonly name?: string }).name === name) return own
  for (let at = nearestPackage(root); at !== undefined; at = nearestPackage(join(at, '..'))) {
    const folder = join(at, 'node_modules', name)
    if (existsSync(join(folder, 'package.json'))) return folder
    if (at === join(at, '..')) break
  }
  return undefined
}

/** The file of `run:` of a stage that has been checked. */
export function moduleFile(root: string, run: string): string {
  if (!isPackaged(run)) return resolve(root, run)
  const found = packagedModule(root, run)
  if (found.ok) return found.value
  throw new Failure('PROGRAM_MISSING', found.error)
}
