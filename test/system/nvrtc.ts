import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const packages = { 12: 'nvidia-cuda-nvrtc-cu12==12.8.93', 13: 'nvidia-cuda-nvrtc==13.0.88' } as const
const folders = { 12: 'cuda_nvrtc', 13: 'cu13' } as const

/** A Python environment with NVIDIA's runtime compiler as PyPI has it, made where it is not there yet. */
export function nvrtcEnvironment(cuda: 12 | 13): string {
  const folder = join(import.meta.dirname, '..', '..', 'bench', '.peers', `cuda-${cuda}`)
  if (findHome(folder, cuda) === undefined) {
    execFileSync('python3', ['-m', 'venv', folder])
    execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', packages[cuda]], { stdio: ['ignore', 2, 2] })
  }
  return folder
}

/** The folder in it that holds `lib`, as one for `CUDA_HOME`. */
export function nvrtcHome(cuda: 12 | 13): string {
  const home = findHome(nvrtcEnvironment(cuda), cuda)
  if (home === undefined) throw new Error(`${packages[cuda]} is not as it was: it has no lib/libnvrtc.so.${cuda}`)
  return home
}

function findHome(environment: string, cuda: 12 | 13): string | undefined {
  const lib = join(environment, 'lib')
  const pythons = existsSync(lib) ? readdirSync(lib) : []
  return pythons
    .map((python) => join(lib, python, 'site-packages', 'nvidia', folders[cuda]))
    .find((home) => existsSync(join(home, 'lib', `libnvrtc.so.${cuda}`)))
}
