import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { sha256 } from './canonical.ts'

interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

interface Wanted {
  readonly name: string
  /** The folder of who imports it, links followed. */
  readonly from: string
  readonly optional: boolean
}

/**
 * Where there is no package-lock.json, as under pnpm and yarn: the packages that code in `folder` importing `names` can
 * reach, as they are installed, by their place in `node_modules` of `project`, as `version sha256:…` of their package.json.
 * The error is the name of one that is not there.
 */
export function installedClosure(
  project: string,
  folder: string,
  names: readonly string[],
  leftOut: RegExp,
): Result<Record<string, string>, string> {
  const root = join(project, 'node_modules')
  const base = existsSync(root) ? realpathSync(root) : root
  const found: Record<string, string> = {}
  const queue: Wanted[] = names.map((name) => ({ name, from: folder, optional: false }))
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (leftOut.test(next.name)) continue
    const installed = folderOf(next)
    if (installed === undefined) {
      if (next.optional) continue
      return err(next.name)
    }
    const place = relative(base, installed).split(sep).join('/')
    if (Object.hasOwn(found, place)) continue
    const bytes = readFileSync(join(installed, 'package.json'))
    const manifest = JSON.parse(bytes.toString('utf8')) as Manifest
    found[place] = `${manifest.version ?? 'linked'} sha256:${sha256(bytes)}`
    queue.push(...dependencies(manifest, installed))
  }
  return ok(Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1))))
}

/** Node's own way: beside the importer first, then one node_modules up at a time. */
function folderOf({ name, from }: Wanted): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const folder = join(at, 'node_modules', name)
    if (existsSync(join(folder, 'package.json'))) return realpathSync(folder)
    if (dirname(at) === at) return undefined
  }
}

function dependencies(manifest: Manifest, from: string): Wanted[] {
  const { dependencies = {}, optionalDependencies, peerDependencies } = manifest
  const may = { ...optionalDependencies, ...peerDependencies }
  const must = Object.keys(dependencies).filter((name) => !Object.hasOwn(may, name))
  return [
    ...must.map((name) => ({ name, from, optional: false })),
    ...Object.keys(may).map((name) => ({ name, from, optional: true })),
  ]
}
