import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { EngineFacts } from '../../util/diagnosis.ts'
import type { Machine } from '../../util/machine.ts'
import { loadFfi } from '../ffi.ts'
import { ATTRIBUTE, bindDriver } from './driver.ts'
import type { Driver } from './driver.ts'
import { openCompilerLibrary, openDriverLibrary, openProductsLibrary, thisMachine } from './libraries.ts'
import { handleFrom, intFrom } from './native.ts'
import type { Library } from './native.ts'

/** Of the first NVIDIA card that this process sees, and of the libraries that its engine takes. */
export async function examineCuda({ gpus }: Machine): Promise<EngineFacts> {
  const ffi = await loadFfi()
  const library = tried(() => openDriverLibrary(ffi, thisMachine))
  const card = library && tried(() => cardOf(bindDriver(ffi, library)))
  const major = card ? Math.floor(card.cuda) : 13
  const compiler = tried(() => openCompilerLibrary(ffi, thisMachine, major))
  const products = tried(() => openProductsLibrary(ffi, thisMachine, major))
  return {
    backend: card ? `CUDA ${card.cuda.toFixed(1)}` : 'CUDA',
    device: card?.model ?? null,
    driver: card ? [...driverVersion(), `compute capability ${card.capability}`].join(', ') : null,
    memory: card?.memory ?? null,
    libraries: [
      { name: 'libcuda', path: placeOf(library) },
      { name: 'NVRTC', path: placeOf(compiler) },
      { name: 'cuBLASLt', path: placeOf(products) },
    ],
    advice: adviceOf({ isThere: gpus.includes('NVIDIA'), hasDriver: library !== undefined, card, compiler, products }),
  }
}

interface CardFacts {
  readonly model: string
  /** The newest CUDA that the driver can run: 12.8. */
  readonly cuda: number
  /** 9.0 */
  readonly capability: string
  readonly memory: NonNullable<EngineFacts['memory']>
}

function cardOf(driver: Driver): CardFacts {
  driver.cuInit(0)
  const version = intFrom((place) => driver.cuDriverGetVersion(place)) // 12080 is 12.8
  const ordinal = intFrom((place) => driver.cuDeviceGet(place, 0))
  const name = Buffer.alloc(256)
  driver.cuDeviceGetName(name, name.length, ordinal)
  const [major, minor] = [ATTRIBUTE.capabilityMajor, ATTRIBUTE.capabilityMinor].map((attribute) =>
    intFrom((place) => driver.cuDeviceGetAttribute(place, attribute, ordinal)),
  )
  return {
    model: name.toString('utf8', 0, name.indexOf(0)),
    cuda: Math.floor(version / 1000) + Math.floor((version % 1000) / 10) / 10,
    capability: `${major}.${minor}`,
    memory: memoryOf(driver, ordinal),
  }
}

/** Only a process that has a context on the card is told. */
function memoryOf(driver: Driver, ordinal: number): CardFacts['memory'] {
  driver.cuCtxSetCurrent(handleFrom((place) => driver.cuDevicePrimaryCtxRetain(place, ordinal)))
  const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)]
  driver.cuMemGetInfo_v2(free, total)
  driver.cuDevicePrimaryCtxRelease_v2(ordinal)
  return { free: Number(free[0]), total: Number(total[0]) }
}

/** `driver 580.65.06`, as NVIDIA's kernel module has it; nothing where that does not say. */
function driverVersion(): readonly string[] {
  const told = tried(() => readFileSync('/proc/driver/nvidia/version', 'utf8'))
  const version = told && /(\d+\.\d+(\.\d+)?) /.exec(told)?.[1]
  return version ? [`driver ${version}`] : []
}

/** What the loader opened by its bare name lies where the process has it mapped. */
function placeOf(library: Library | undefined): string | null {
  if (library === undefined || isAbsolute(library.path)) return library?.path ?? null
  const maps = tried(() => readFileSync('/proc/self/maps', 'utf8')) ?? ''
  const base = library.path.replace(/\.so.*/, '.so')
  const mapped = maps.split('\n').map((line) => line.slice(line.indexOf('/')))
  return mapped.find((path) => path.includes(`/${base}`)) ?? library.path
}

interface Found {
  /** The bus has an NVIDIA card. */
  readonly isThere: boolean
  readonly hasDriver: boolean
  readonly card: CardFacts | undefined
  readonly compiler: Library | undefined
  readonly products: Library | undefined
}

/** The first that is in the way: what comes after it is not known before. */
function adviceOf({ isThere, hasDriver, card, compiler, products }: Found): readonly string[] {
  if (!hasDriver && !isThere) return []
  if (!hasDriver) return ["An NVIDIA card is there, and its driver's library, libcuda.so.1, is not: install NVIDIA's driver; a container must be given the card (docker run --gpus all)."] // prettier-ignore
  if (!card)
    return ["NVIDIA's driver is there, and gives no card: nvidia-smi says why; CUDA_VISIBLE_DEVICES may hide it."]
  if (card.cuda < 12) return [`The driver of the ${card.model} runs CUDA ${card.cuda.toFixed(1)}: install one of 525 or newer, which run CUDA 12.`] // prettier-ignore
  if (Number(card.capability) < 8) return [`The ${card.model} is older than what the engine "cuda" computes on (compute capability ${card.capability}, expected 8.0 or more); onnx-webgpu may run on it.`] // prettier-ignore
  const missing = [...(compiler ? [] : [['NVRTC', 'cuda-nvrtc']]), ...(products ? [] : [['cuBLASLt', 'cublas']])]
  if (missing.length === 0) return []
  const packages = missing.map(([, name]) => `nvidia-${name}${card.cuda >= 13 ? '' : '-cu12'}`)
  const names = missing.map(([name]) => name).join(' and ')
  return [`An NVIDIA card is there (${card.model}), and ${names} ${missing.length === 1 ? 'is' : 'are'} not: pip install ${packages.join(' ')}, or set CUDA_HOME to a CUDA toolkit.`] // prettier-ignore
}

function tried<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
