import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { LibraryHandle } from 'koffi'
import { Failure } from '../../util/failure.ts'
import type { Ffi } from '../ffi.ts'
import type { Library } from './native.ts'

/** Where this machine may have libraries. */
export interface Search {
  readonly env: Readonly<Record<string, string | undefined>>
  /** `/usr/local` */
  readonly local: string
}

export const thisMachine: Search = { env: process.env, local: '/usr/local' }

interface Wanted {
  readonly about: string
  /** Best first. */
  readonly files: readonly string[]
  /** Folders in `nvidia` of Python's packages, as NVIDIA's own on PyPI have them. */
  readonly wheels: readonly string[]
  readonly advice: string
}

/** NVIDIA's driver. Throws Failure `CUDA_MISSING`. */
export function openDriverLibrary(ffi: Ffi, search: Search): Library {
  return open(ffi, search, {
    about: "NVIDIA's driver",
    files: ['libcuda.so.1'],
    wheels: [],
    advice: 'install the driver; a container must be given the card (docker run --gpus all)',
  })
}

/** NVIDIA's compiler of CUDA C++, of a CUDA not above the driver's. Throws Failure `CUDA_MISSING`. */
export function openCompilerLibrary(ffi: Ffi, search: Search, driverMajor: number): Library {
  const library = open(ffi, search, toolkit("NVIDIA's runtime compiler", 'nvrtc', 'cuda_nvrtc', driverMajor))
  if (isAbsolute(library.path)) loadBuiltins(ffi, dirname(library.path))
  return library
}

/** NVIDIA's matrix products, of a CUDA not above the driver's. Throws Failure `CUDA_MISSING`. */
export function openProductsLibrary(ffi: Ffi, search: Search, driverMajor: number): Library {
  return open(ffi, search, toolkit("NVIDIA's matrix products", 'cublasLt', 'cublas', driverMajor))
}

/** koffi unloads a library that nothing refers to. */
const kept: LibraryHandle[] = []

/**
 * NVRTC opens `libnvrtc-builtins.so.13.0` by that name. Some of its packages do not tell the loader to look beside it
 * (13.0.88 on PyPI does not), and then it is found only where it is loaded already.
 */
function loadBuiltins(ffi: Ffi, folder: string): void {
  const names = readdirSync(folder).filter((name) => /^libnvrtc-builtins\.so\.\d+\.\d+$/.test(name))
  kept.push(...names.map((name) => ffi.load(join(folder, name))))
}

/** The packages are `nvidia-cublas` for CUDA 13, `nvidia-cublas-cu12` for CUDA 12; PyTorch brings them, too. */
function toolkit(about: string, base: string, wheel: string, driverMajor: number): Wanted {
  const majors = driverMajor >= 13 ? [13, 12] : [12]
  const name = `nvidia-${wheel.replaceAll('_', '-')}${driverMajor >= 13 ? '' : '-cu12'}`
  return {
    about,
    files: majors.map((major) => `lib${base}.so.${major}`),
    wheels: ['cu13', wheel],
    advice: `pip install ${name}, or set CUDA_HOME to a CUDA toolkit`,
  }
}

function open(ffi: Ffi, search: Search, { about, files, wheels, advice }: Wanted): Library {
  const looked: string[] = []
  const broken: string[] = []
  for (const folder of folders(search, wheels)) {
    looked.push(folder === LOADER ? "the loader's folders (LD_LIBRARY_PATH)" : folder)
    for (const file of files) {
      const path = join(folder, file)
      if (folder !== LOADER && !existsSync(path)) continue
      try {
        return { handle: ffi.load(path), path }
      } catch (error) {
        if (folder !== LOADER) broken.push(`"${path}" does not load (${String(error)})`)
      }
    }
  }
  const found = broken.length > 0 ? broken.join('; ') : `it is not in ${looked.join(', ')}`
  throw new Failure('CUDA_MISSING', `${about}, ${files.join(' or ')}, is needed, and ${found}: ${advice}`, {
    exitCode: 1,
  })
}

/** `dlopen` of a bare name looks where the loader is told to. */
const LOADER = ''

/** In the order in which they count. The last ones are found by starting Python, so only when they are reached. */
function* folders({ env, local }: Search, wheels: readonly string[]): Generator<string> {
  for (const home of [env['CUDA_HOME'], env['CUDA_PATH']]) {
    if (home) yield* [join(home, 'lib64'), join(home, 'lib')]
  }
  yield LOADER
  for (const name of toolkitsIn(local)) yield join(local, name, 'lib64')
  yield join(local, 'nvidia', 'lib64')
  if (wheels.length === 0) return
  for (const site of pythonPath(env)) {
    for (const wheel of wheels) yield join(site, 'nvidia', wheel, 'lib')
  }
}

/** `cuda` is a link to the one that was chosen; then the newest. */
function toolkitsIn(local: string): readonly string[] {
  if (!existsSync(local)) return []
  const names = readdirSync(local).filter((name) => /^cuda(-\d+(\.\d+)?)?$/.test(name))
  return names.sort((a, b) => versionOf(b) - versionOf(a))
}

/** `cuda-12.9` is before `cuda-12.10`. */
function versionOf(name: string): number {
  const [major, minor] = name.replace(/^cuda-?/, '').split('.')
  return major ? 1000 * Number(major) + Number(minor ?? 0) : Infinity
}

/** Where the Python of this shell finds its packages; nothing where there is no Python. */
function pythonPath(env: Search['env']): readonly string[] {
  const python = env['VIRTUAL_ENV'] ? join(env['VIRTUAL_ENV'], 'bin', 'python3') : 'python3'
  const code = 'import json, sys; print(json.dumps([path for path in sys.path if path]))'
  try {
    const printed = execFileSync(python, ['-c', code], { env: { ...env }, encoding: 'utf8', stdio: 'pipe' })
    return JSON.parse(printed) as string[]
  } catch {
    return []
  }
}
