import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/util/package-root.ts'

export interface Packed {
  readonly tarball: string
  /** The same, with no packages that an install may do without. */
  readonly bare: string
  readonly bytes: number
  readonly unpackedBytes: number
}

/** Variables that npm sets for a script would be read by those that are started from it. */
export const env = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name)))

export function run(cwd: string, program: string, args: readonly string[]): string {
  const { maxBuffer, stdio } = { maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 2] as ['ignore', 'pipe', number] }
  return execFileSync(program, args, { cwd, env: env(), encoding: 'utf8', maxBuffer, stdio })
}

/** Packs this package as it would be published. */
export function pack(folder: string): Packed {
  const root = packageRoot()
  run(root, 'npm', ['run', 'build'])
  try {
    const { tarball, size, unpackedSize } = packFolder(root, folder)
    return { tarball, bare: packBare(tarball, join(folder, 'bare')), bytes: size, unpackedBytes: unpackedSize }
  } finally {
    rmSync(join(root, 'dist'), { recursive: true, force: true })
  }
}

function packFolder(from: string, to: string): { tarball: string; size: number; unpackedSize: number } {
  const out = run(from, 'npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', to])
  const [{ filename, size, unpackedSize }] = JSON.parse(out) as [
    { filename: string; size: number; unpackedSize: number },
  ]
  return { tarball: join(to, filename), size, unpackedSize }
}

/** Optional packages of packages stay: esbuild and sharp have what they run in such ones. */
function packBare(tarball: string, folder: string): string {
  mkdirSync(folder)
  run(folder, 'tar', ['-xzf', tarball])
  const file = join(folder, 'package', 'package.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  writeFileSync(file, JSON.stringify({ ...manifest, optionalDependencies: {} }))
  return packFolder(join(folder, 'package'), folder).tarball
}

/** Bytes of the files at and below a path, those with several names once. */
export function bytesOf(path: string, seen = new Set<string>()): number {
  const stat = lstatSync(path)
  if (stat.isDirectory()) return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name), seen), 0)
  const id = `${stat.dev} ${stat.ino}`
  if (seen.has(id)) return 0
  seen.add(id)
  return stat.size
}

/** The packages in a folder by their bytes, largest first, those of a scope apart. */
export function packagesBySize(modules: string): [name: string, bytes: number][] {
  const names = readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => (name.startsWith('@') ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : name))
  return names.map((name) => [name, bytesOf(join(modules, name))] as [string, number]).sort(([, a], [, b]) => b - a)
}
