import type { LibraryHandle } from 'koffi'
import { loadFfi } from './ffi.ts'

/** The graphics device that WebGPU takes. */
export interface Adapter {
  /** As its driver calls it. */
  readonly name: string
  /** Whether it is hardware: a software driver is far slower than the CPU itself. */
  readonly isGpu: boolean
  /** Bytes of the largest tensor. ONNX Runtime cuts larger ones in pieces, and some ops then give garbage without a word. */
  readonly largest: number
  /** `Vulkan 1.4.305, driver 25.0.7`; undefined where nobody can be asked. */
  readonly driver?: string
  /** Bytes of its own memory. */
  readonly memory?: number
}

/** What every device of WebGPU has at least: https://www.w3.org/TR/webgpu/#limits, maxStorageBufferBindingSize. */
const guaranteed = 2 ** 27
/** Kernels count bytes in 32 bits with a sign. */
const addressable = 2 ** 31 - 4

/**
 * WebGPU stands on Vulkan on Linux, and ONNX Runtime does not say which device it took, so Vulkan itself is asked. On other
 * systems nothing is known of it. Throws where there is no Vulkan.
 */
export async function findAdapter(): Promise<Adapter> {
  if (process.platform !== 'linux') return { name: 'unknown adapter', isGpu: false, largest: guaranteed }
  const devices = vulkanDevices(await loadVulkan())
  const [best] = devices.sort((a, b) => rank.indexOf(a.type) - rank.indexOf(b.type))
  if (!best) throw new Error('Vulkan finds no device: install a Vulkan driver for the GPU')
  const { name, driver, memory } = best
  return { name, isGpu: hardware.includes(best.type), largest: Math.min(best.largest, addressable), driver, memory }
}

/** Whether WebGPU would run on hardware here, as far as is known. */
export async function hasGpu(): Promise<boolean> {
  try {
    return (await findAdapter()).isGpu
  } catch {
    return false
  }
}

/** VkPhysicalDeviceType in the order in which WebGPU's high performance prefers them: discrete, integrated, virtual, CPU, other. */
const rank = [2, 1, 3, 4, 0]
const hardware = rank.slice(0, 3)

async function loadVulkan(): Promise<LibraryHandle> {
  const { load } = await loadFfi()
  try {
    return load('libvulkan.so.1')
  } catch (cause) {
    throw new Error('there is no libvulkan.so.1: install Vulkan and a driver for the GPU', { cause })
  }
}

interface Device {
  readonly type: number
  readonly name: string
  readonly largest: number
  readonly driver: string
  readonly memory: number
}

function vulkanDevices(vulkan: LibraryHandle): Device[] {
  const create = vulkan.func('int vkCreateInstance(const void *info, const void *allocator, void *instance)')
  const enumerate = vulkan.func('int vkEnumeratePhysicalDevices(uint64_t instance, void *count, void *devices)')
  const properties = vulkan.func('void vkGetPhysicalDeviceProperties(uint64_t device, void *properties)')
  const memories = vulkan.func('void vkGetPhysicalDeviceMemoryProperties(uint64_t device, void *properties)')
  const destroy = vulkan.func('void vkDestroyInstance(uint64_t instance, const void *allocator)')
  const info = new BigUint64Array(8) // VkInstanceCreateInfo, all zeros
  info[0] = 1n // VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
  const [instance] = handles((slots) => create(info, null, slots) as number, 1) as [bigint]
  const count = Uint32Array.of(0)
  succeed(enumerate(instance, count, null) as number)
  const devices = handles((slots) => enumerate(instance, count, slots) as number, count[0]!)
  const found = devices.map((device) => {
    const bytes = Buffer.alloc(1024) // VkPhysicalDeviceProperties takes 824
    properties(device, bytes)
    const memory = Buffer.alloc(1024) // VkPhysicalDeviceMemoryProperties takes 520
    memories(device, memory)
    return { ...describe(bytes), memory: largestHeap(memory) }
  })
  destroy(instance, null)
  return found
}

function handles(fill: (slots: BigUint64Array) => number, count: number): bigint[] {
  const slots = new BigUint64Array(count)
  if (count > 0) succeed(fill(slots))
  return [...slots]
}

function succeed(result: number): void {
  if (result !== 0) throw new Error(`Vulkan gave the error ${result}`)
}

/** deviceType, deviceName[256] and limits.maxStorageBufferRange: their places follow from vulkan_core.h. */
function describe(properties: Buffer): Omit<Device, 'memory'> {
  const name = properties.subarray(20, 276)
  const [api, driver, vendor] = [0, 4, 8].map((at) => properties.readUInt32LE(at)) as [number, number, number]
  return {
    type: properties.readUInt32LE(16),
    name: name.toString('utf8', 0, name.indexOf(0)),
    largest: properties.readUInt32LE(324),
    driver: `Vulkan ${version(api, [22, 12, 0])}, driver ${version(driver, vendor === NVIDIA ? [22, 14, 6] : [22, 12, 0])}`,
  }
}

/** NVIDIA packs its version in a way of its own: 10, 8, 8 and 6 bits. */
const NVIDIA = 0x10de

/** Parts from these bits on, the last ones on the right. */
const version = (packed: number, places: readonly [number, number, number]): string =>
  places.map((place, i) => (packed >>> place) & (2 ** ((i === 0 ? 32 : places[i - 1]!) - place) - 1)).join('.')

/** Of the heaps that lie on the device: those begin at byte 264, each with its size and its flags. */
function largestHeap(properties: Buffer): number {
  const heaps = Array.from({ length: properties.readUInt32LE(260) }, (_, i) => 264 + 16 * i)
  const own = heaps.filter((at) => properties.readUInt32LE(at + 8) & 1) // VK_MEMORY_HEAP_DEVICE_LOCAL_BIT
  return Math.max(0, ...own.map((at) => Number(properties.readBigUInt64LE(at))))
}
