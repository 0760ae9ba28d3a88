import { join } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { packageRoot } from '../../util/package-root.ts'
import { Card } from './card.ts'
import { openCompiler } from './compiler.ts'
import type { Device } from './device.ts'
import { ATTRIBUTE, bindDriver } from './driver.ts'
import type { Driver } from './driver.ts'
import { openCompilerLibrary, openDriverLibrary, openProductsLibrary, thisMachine } from './libraries.ts'
import { loadFfi } from '../ffi.ts'
import { handleFrom, intFrom } from './native.ts'

/**
 * The first NVIDIA card that this process sees (`CUDA_VISIBLE_DEVICES`), through its driver. Throws Failure
 * `CUDA_MISSING` or `CUDA_OLD` with what to install, `DEVICE_FAILED` or `DEVICE_MEMORY` where the card is not to be had.
 */
export async function openCard(): Promise<Device> {
  const ffi = await loadFfi()
  const driver = bindDriver(ffi, openDriverLibrary(ffi, thisMachine))
  driver.cuInit(0)
  const driverMajor = majorOf(driver)
  const ordinal = intFrom((place) => driver.cuDeviceGet(place, 0))
  const model = modelOf(driver, ordinal)
  const architecture = architectureOf(driver, ordinal, model)
  const cache = join(packageRoot(), 'node_modules', '.cache', 'pipeline', 'cuda')
  const compiler = openCompiler(openCompilerLibrary(ffi, thisMachine, driverMajor), architecture, cache)
  const products = openProductsLibrary(ffi, thisMachine, driverMajor)
  driver.cuCtxSetCurrent(handleFrom((place) => driver.cuDevicePrimaryCtxRetain(place, ordinal)))
  return new Card({ ffi, driver, ordinal, model, compiler, products })
}

/** Of the CUDA that the driver can run: 12, 13. */
function majorOf(driver: Driver): number {
  const version = intFrom((place) => driver.cuDriverGetVersion(place)) // 13000 is 13.0
  const major = Math.floor(version / 1000)
  if (major >= 12) return major
  const message = `the driver runs CUDA ${major}.${Math.floor((version % 1000) / 10)}, expected 12 or more: install a newer driver`
  throw new Failure('CUDA_OLD', message, { exitCode: 1 })
}

function modelOf(driver: Driver, ordinal: number): string {
  const bytes = Buffer.alloc(256)
  driver.cuDeviceGetName(bytes, bytes.length, ordinal)
  return bytes.toString('utf8', 0, bytes.indexOf(0))
}

/** Its kernels and products are in bf16 and tf32, which began with 8.0. */
function architectureOf(driver: Driver, ordinal: number, model: string): `sm_${number}` {
  const [major, minor] = [ATTRIBUTE.capabilityMajor, ATTRIBUTE.capabilityMinor].map((attribute) =>
    intFrom((place) => driver.cuDeviceGetAttribute(place, attribute, ordinal)),
  )
  if (major! >= 8) return `sm_${10 * major! + minor!}`
  const message = `${model} has compute capability ${major}.${minor}, expected 8.0 or more (Ampere or newer): choose another card with CUDA_VISIBLE_DEVICES`
  throw new Failure('CUDA_OLD', message, { exitCode: 1 })
}
