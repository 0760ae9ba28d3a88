import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openCompilerLibrary, openDriverLibrary, openProductsLibrary } from '../../../lib/engine/cuda/libraries.ts'
import type { Search } from '../../../lib/engine/cuda/libraries.ts'
import type { Ffi } from '../../../lib/engine/ffi.ts'

const root = mkdtempSync(join(tmpdir(), 'libraries-'))
after(() => rmSync(root, { recursive: true }))
const at = (...names: string[]): string => join(root, ...names)
const write = (path: string, text = '', mode = 0o644): void => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode })
}

/** In place of the loader, which knows more of this machine than a test may: it loads what is in `good`. */
const loader = (...good: string[]): Ffi =>
  ({
    load: (path: string) => {
      if (good.includes(path)) return {}
      throw new Error('no ELF')
    },
  }) as unknown as Ffi

const search: Search = {
  env: { CUDA_HOME: at('home'), CUDA_PATH: at('path'), VIRTUAL_ENV: at('venv') },
  local: at('local'),
}
const sites = [at('site'), at('more')]
write(at('venv', 'bin', 'python3'), `#!/bin/sh\necho '${JSON.stringify(sites)}'\n`, 0o755)

describe('a library of CUDA', () => {
  /** In the order in which they count. */
  const places = [
    at('home', 'lib64', 'libnvrtc.so.13'),
    at('home', 'lib64', 'libnvrtc.so.12'),
    at('home', 'lib', 'libnvrtc.so.13'),
    at('path', 'lib64', 'libnvrtc.so.12'),
    'libnvrtc.so.13',
    'libnvrtc.so.12',
    at('local', 'cuda', 'lib64', 'libnvrtc.so.12'),
    at('local', 'cuda-13.0', 'lib64', 'libnvrtc.so.13'),
    at('local', 'cuda-12.10', 'lib64', 'libnvrtc.so.12'),
    at('local', 'cuda-12.9', 'lib64', 'libnvrtc.so.12'),
    at('local', 'nvidia', 'lib64', 'libnvrtc.so.12'),
    at('site', 'nvidia', 'cu13', 'lib', 'libnvrtc.so.13'),
    at('site', 'nvidia', 'cuda_nvrtc', 'lib', 'libnvrtc.so.12'),
    at('more', 'nvidia', 'cu13', 'lib', 'libnvrtc.so.13'),
  ]
  for (const place of places.filter((path) => path.startsWith(root))) write(place)

  it('is taken from the first place that has one', () => {
    places.forEach((_, i) => {
      const left = places.slice(i)
      assert.equal(openCompilerLibrary(loader(...left), search, 13).path, left[0])
    })
  })

  it('brings the builtins that lie beside it, and nothing else', () => {
    const folder = at('whole', 'lib64')
    const names = ['libnvrtc.so.13', 'libnvrtc-builtins.so.13.0', 'libnvrtc-builtins.alt.so.13.0', 'libnvrtc.alt.so.13']
    const paths = names.map((name) => join(folder, name))
    for (const path of paths) write(path)
    const loaded: string[] = []
    const recording = { load: (path: string) => loaded.push(path) } as unknown as Ffi
    openCompilerLibrary(recording, { env: { CUDA_HOME: at('whole') }, local: at('none') }, 13)
    assert.deepEqual(loaded, paths.slice(0, 2))
  })

  it('is never newer than what the driver runs', () => {
    assert.equal(openCompilerLibrary(loader(...places), search, 12).path, at('home', 'lib64', 'libnvrtc.so.12'))
  })

  it('is found for a driver newer than all of them', () => {
    assert.equal(openCompilerLibrary(loader(...places), search, 14).path, places[0])
  })

  it('that is there and does not load is told with the reason', () => {
    assert.throws(() => openCompilerLibrary(loader(), { env: { CUDA_HOME: at('home') }, local: at('none') }, 12), {
      code: 'CUDA_MISSING',
      exitCode: 1,
      message: `NVIDIA's runtime compiler, libnvrtc.so.12, is needed, and "${places[1]}" does not load (Error: no ELF): pip install nvidia-cuda-nvrtc-cu12, or set CUDA_HOME to a CUDA toolkit`,
    })
  })

  it('that is nowhere is told with where it was looked for and what to do', () => {
    const nowhere = at('local', 'nvidia', 'lib64')
    const python = sites.flatMap((site) => ['cu13', 'cublas'].map((wheel) => join(site, 'nvidia', wheel, 'lib')))
    const toolkits = ['cuda', 'cuda-13.0', 'cuda-12.10', 'cuda-12.9'].map((name) => at('local', name, 'lib64'))
    const homes = ['home', 'path'].flatMap((name) => [at(name, 'lib64'), at(name, 'lib')])
    const looked = [...homes, "the loader's folders (LD_LIBRARY_PATH)", ...toolkits, nowhere, ...python]
    assert.throws(() => openProductsLibrary(loader(), search, 13), {
      code: 'CUDA_MISSING',
      message: `NVIDIA's matrix products, libcublasLt.so.13 or libcublasLt.so.12, is needed, and it is not in ${looked.join(', ')}: pip install nvidia-cublas, or set CUDA_HOME to a CUDA toolkit`,
    })
  })
})

describe("NVIDIA's driver", () => {
  it('that is nowhere is told so, without a word of Python', () => {
    assert.throws(() => openDriverLibrary(loader(), { env: { VIRTUAL_ENV: at('venv') }, local: at('none') }), {
      code: 'CUDA_MISSING',
      exitCode: 1,
      message: `NVIDIA's driver, libcuda.so.1, is needed, and it is not in the loader's folders (LD_LIBRARY_PATH), ${at('none', 'nvidia', 'lib64')}: install the driver; a container must be given the card (docker run --gpus all)`,
    })
  })
})
