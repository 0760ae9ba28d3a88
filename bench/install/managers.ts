import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { npmInstalled } from '../noop/tools.ts'
import { env } from './packed.ts'

/** Installs packages into an empty folder, with a cache of its own. */
export interface Installer {
  readonly name: string
  /** What is installed there, from the folder on. */
  readonly modules: string
  readonly install: (folder: string, cache: string) => void
}

const [PNPM, YARN, TURBO, WIREIT, DVC] = ['10.34.9', '1.22.22', '2.11.11', '0.14.13', '3.67.1'] as const

const start = (folder: string, program: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): void => {
  execFileSync(program, args, { cwd: folder, env: { ...env(), ...more }, stdio: ['ignore', 'ignore', 2] })
}

export const npm = (packages: readonly string[], name = 'npm'): Installer => ({
  name,
  modules: 'node_modules',
  install: (folder, cache) => {
    start(folder, 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--cache', cache, ...packages])
  },
})

export function pnpm(tarball: string): Installer {
  const bin = join(npmInstalled('pnpm', PNPM), '.bin', 'pnpm')
  return {
    name: 'pnpm',
    modules: 'node_modules',
    install: (folder, cache) => {
      // without it, pnpm looks at the packages of folders above
      const args = ['add', '--ignore-workspace', '--ignore-scripts', '--store-dir', join(cache, 'store'), tarball]
      start(folder, bin, args, { XDG_CACHE_HOME: cache })
    },
  }
}

export function yarn(tarball: string): Installer {
  const bin = join(npmInstalled('yarn', YARN), '.bin', 'yarn')
  return {
    name: 'yarn',
    modules: 'node_modules',
    install: (folder, cache) => {
      start(folder, bin, ['add', '--ignore-scripts', '--silent', '--cache-folder', cache, `file:${tarball}`])
    },
  }
}

/** Tools that run tasks and train nothing. */
export const runners = (): Installer =>
  npm([`turbo@${TURBO}`, `wireit@${WIREIT}`], `turbo ${TURBO} and wireit ${WIREIT}`)

/** A virtual environment of its own, as its manual says. */
export const dvc = (): Installer => ({
  name: `DVC ${DVC}`,
  modules: 'venv',
  install: (folder, cache) => {
    mkdirSync(cache, { recursive: true })
    start(folder, 'python3', ['-m', 'venv', 'venv'])
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--cache-dir', cache, `dvc==${DVC}`]
    start(folder, join(folder, 'venv', 'bin', 'python'), args)
  },
})
