import type * as Backend from '@tensorflow/tfjs-backend-webgpu'
import type { KernelBackend } from '@tensorflow/tfjs-core'
import type * as Webgpu from 'webgpu'

/** A device of WebGPU, held by Dawn. */
export interface Gpu {
  /** As Dawn calls it. */
  readonly name: string
  /** Bytes of the largest tensor: a kernel that is given more computes garbage. */
  readonly largest: number
  readonly makeBackend: () => KernelBackend
  /** What went wrong on it first. */
  readonly error: GpuFault | undefined
  readonly end: () => void
}

interface GpuFault {
  readonly message: string
  readonly outOfMemory: boolean
}

/** The best device that WebGPU finds, with all that it can hold. Throws where there is none, or a package is missing. */
export async function makeGpu(): Promise<Gpu> {
  const [{ create, globals }, { WebGPUBackend }] = await loadPackages()
  Object.assign(globalThis, globals) // the backend takes its constants from there
  const gpu = create([])
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter)
    throw new Error('WebGPU finds no device: install a driver for the GPU that it takes, Vulkan 1.3 or newer')
  const { info, limits } = adapter
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(raised.map((limit) => [limit, limits[limit]])),
  })
  const faults: GpuFault[] = []
  watch(device, faults)
  return {
    name: info.device || info.description || info.vendor,
    largest: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    makeBackend: () => withNavigator(gpu, () => new WebGPUBackend(device, info)),
    get error() {
      return faults[0]
    },
    end: () => device.destroy(),
  }
}

async function loadPackages(): Promise<[typeof Webgpu, typeof Backend]> {
  try {
    return await Promise.all([import('webgpu'), import('@tensorflow/tfjs-backend-webgpu')])
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const advice = 'run `npm install` without --omit=optional'
    throw new Error(`its packages, which are optional, are not all there (${message}): ${advice}`, { cause })
  }
}

/** What the backend's kernels need more of than every device of WebGPU has. */
const raised = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const

/** WebGPU does not throw: after a fault it goes on, and gives garbage. */
function watch(device: GPUDevice, faults: GpuFault[]): void {
  device.addEventListener('uncapturederror', ({ error }) => {
    faults.push({ message: error.message, outOfMemory: error instanceof GPUOutOfMemoryError })
  })
  void device.lost.then(({ message, reason }) => {
    if (reason !== 'destroyed') faults.push({ message: `the device is lost: ${message}`, outOfMemory: false })
  })
}

/**
 * The backend's constructor looks for WebGPU where a browser has it. Not for longer: other libraries look there too, and
 * Dawn keeps the process alive as long as a global holds it.
 */
function withNavigator<T>(gpu: GPU, make: () => T): T {
  const had = 'navigator' in globalThis // Node 21 and newer
  if (!had) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true })
  const { navigator } = globalThis as unknown as { navigator: { gpu?: GPU } }
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true })
  try {
    return make()
  } finally {
    delete navigator.gpu
    if (!had) Reflect.deleteProperty(globalThis, 'navigator')
  }
}
