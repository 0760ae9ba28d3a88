import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { nearest } from '../util/nearest.ts'
import { findBuiltin } from './builtin.ts'
import type { Input } from './pipeline.ts'
import type { Problems } from './problems.ts'
import type { Spot } from './source.ts'

/** Files that a configuration names: are they there, and what was meant where they are not. Each is looked up once. */
export class Paths {
  readonly #root: string
  readonly #problems: Problems
  readonly #real = new Map<string, string | undefined>()

  constructor(root: string, problems: Problems) {
    this.#root = root
    this.#problems = problems
  }

  has(path: string): boolean {
    return this.#realPath(path) !== undefined
  }

  /** A file or folder as an input: it must exist, and must not hold or lie in what the pipeline itself writes. */
  file(path: string, at: Spot): Input | undefined {
    const real = this.#realPath(path)
    if (path === '' || real === undefined) {
      const near = this.nearest(path)
      const advice =
        near === undefined ? 'Paths are relative to the folder of pipeline.yaml.' : `Did you mean "${near}"?`
      this.#problems.add('INPUT_MISSING', at, `There is no file or folder "${path}". ${advice}`)
      return undefined
    }
    const artifacts = join(realpathSync(this.#root), 'artifacts') + sep
    const folder = real.endsWith(sep) ? real : real + sep
    if (!artifacts.startsWith(folder) && !folder.startsWith(artifacts)) return { kind: 'path', path }
    const advice = 'Read a result as stage.output; keep sources in a folder apart.'
    this.#problems.add(
      'INPUT_HOLDS_OUTPUTS',
      at,
      `"${path}" holds or lies in "artifacts/", which the pipeline writes. ${advice}`,
    )
    return undefined
  }

  /** A folder or file that comes with the package. */
  builtin(name: string, at: Spot): Input | undefined {
    const found = findBuiltin(name, 'anything')
    if (!found.ok) {
      this.#problems.add('INPUT_MISSING', at, found.error)
      return undefined
    }
    const path = relative(this.#root, found.value)
    return { kind: 'path', path: path.startsWith('..') ? found.value : path.split(sep).join('/') }
  }

  /** The name beside a path that does not exist which was most likely meant. */
  nearest(path: string): string | undefined {
    const folder = dirname(path)
    const near = nearest(basename(path), namesIn(resolve(this.#root, folder)))
    if (near === undefined) return undefined
    return folder === '.' && !path.startsWith('.') ? near : join(folder, near)
  }

  #realPath(path: string): string | undefined {
    if (this.#real.has(path)) return this.#real.get(path)
    const absolute = isAbsolute(path) ? path : join(this.#root, path)
    const real = existsSync(absolute) ? realpathSync(absolute) : undefined
    this.#real.set(path, real)
    return real
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
