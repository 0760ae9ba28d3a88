import { Failure } from '../../util/failure.ts'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'
import { CubinCache } from './cubin-cache.ts'
import { bind, find, handleFrom, intFrom } from './native.ts'
import type { Calls, Library } from './native.ts'

/** As nvrtc.h has them. */
const prototypes = {
  nvrtcVersion: 'void *major, void *minor',
  nvrtcGetNumSupportedArchs: 'void *count',
  nvrtcGetSupportedArchs: 'void *architectures',
  nvrtcCreateProgram:
    'void *program, const char *source, const char *name, int headers, void *contents, void *includeNames',
  nvrtcGetProgramLogSize: 'void *program, void *bytes',
  nvrtcGetProgramLog: 'void *program, void *log',
  nvrtcGetCUBINSize: 'void *program, void *bytes',
  nvrtcGetCUBIN: 'void *program, void *cubin',
  nvrtcDestroyProgram: 'void *program',
}

/** A value of nvrtc.h's enum. */
const ERROR_COMPILATION = 6

interface Nvrtc extends Calls<keyof typeof prototypes> {
  /** Its status says whose fault it is. */
  readonly compileProgram: (program: bigint, count: number, options: readonly string[]) => number
  readonly fail: (call: string, status: number, log?: string) => never
}

export interface Compiler {
  /** For people: `NVRTC 13.0`. */
  readonly name: string
  /** CUDA C++ without headers to machine code of the card; from the cache where it was made before. */
  compile(source: string): Uint8Array
}

/**
 * NVRTC for one kind of card, `sm_90`, with a cache in `folder`. Throws Failure `CUDA_OLD` where it does not know such
 * cards.
 */
export function openCompiler(library: Library, architecture: `sm_${number}`, folder: string): Compiler {
  const nvrtc = bindNvrtc(library)
  const name = `NVRTC ${versionOf(nvrtc)}`
  mustKnow(nvrtc, name, architecture)
  const cache = new CubinCache(folder)
  const options = [`--gpu-architecture=${architecture}`, '--std=c++17', '-default-device']
  return {
    name,
    compile: (source) => {
      const parts = [source, name, ...options]
      const file = cache.file(parts, 'cubin')
      const kept = cache.read(file)
      if (kept) return kept
      const compiled = compile(nvrtc, source, options)
      if (!compiled.ok) throw refused(cache, parts, compiled.error)
      cache.write(file, compiled.value)
      return compiled.value
    },
  }
}

function bindNvrtc(library: Library): Nvrtc {
  const textOf = find(library, 'const char *', 'nvrtcGetErrorString(int status)')
  const fail: Nvrtc['fail'] = (call, status, log = '') => {
    const message = `${call} of "${library.path}" failed with ${textOf(status)} ${log}`.trim()
    throw new Failure('DEVICE_FAILED', `${message}: install CUDA again`, { exitCode: 1 })
  }
  const compileProgram = find(library, 'int', 'nvrtcCompileProgram(void *program, int count, const char **options)')
  return { ...bind(library, prototypes, fail), compileProgram, fail }
}

function versionOf(nvrtc: Nvrtc): string {
  const [major, minor] = [new Int32Array(1), new Int32Array(1)]
  nvrtc.nvrtcVersion(major, minor)
  return `${major[0]!}.${minor[0]!}`
}

function mustKnow(nvrtc: Nvrtc, name: string, architecture: string): void {
  const known = new Int32Array(intFrom((count) => nvrtc.nvrtcGetNumSupportedArchs(count)))
  nvrtc.nvrtcGetSupportedArchs(known)
  const names = [...known].map((number) => `sm_${number}`)
  if (names.includes(architecture)) return
  const message = `${name} compiles for ${names.join(', ')}, and this card is ${architecture}: install a newer CUDA`
  throw new Failure('CUDA_OLD', message, { exitCode: 1 })
}

/** The machine code, or why the source is refused. */
function compile(nvrtc: Nvrtc, source: string, options: readonly string[]): Result<Uint8Array, string> {
  const program = handleFrom((place) => nvrtc.nvrtcCreateProgram(place, source, SOURCE_NAME, 0, null, null))
  try {
    const status = nvrtc.compileProgram(program, options.length, options)
    if (status === 0) return ok(bytesFrom(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program))
    const text = Buffer.from(bytesFrom(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)).toString()
    const log = text.replace(/\0$/, '').trim()
    return status === ERROR_COMPILATION ? err(log) : nvrtc.fail('nvrtcCompileProgram', status, log)
  } finally {
    nvrtc.nvrtcDestroyProgram(BigUint64Array.of(program))
  }
}

/** What the log calls the source. */
const SOURCE_NAME = 'kernels.cu'

/** Kernels are ours, so this is a bug of ours; the source is kept for who looks into it. */
function refused(cache: CubinCache, parts: readonly string[], log: string): Error {
  const [source, compiler, architecture] = parts
  const [sourceFile, logFile] = [cache.file(parts, 'cu'), cache.file(parts, 'log')]
  cache.save(sourceFile, source!)
  cache.save(logFile, log)
  const what = `${compiler!} refuses a kernel (${architecture!})`
  return new Error(`Internal error: ${what}: ${log.slice(0, 2000)}\nSource "${sourceFile}", whole log "${logFile}"`)
}

type Read = Nvrtc['nvrtcGetCUBIN']

function bytesFrom(sizeOf: Read, read: Read, program: bigint): Uint8Array {
  const bytes = new Uint8Array(Number(handleFrom((place) => sizeOf(program, place))))
  read(program, bytes)
  return bytes
}
