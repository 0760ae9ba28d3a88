import type { EngineFacts } from '../util/diagnosis.ts'
import type { Machine } from '../util/machine.ts'
import { findAdapter } from './adapter.ts'
import type { Adapter } from './adapter.ts'

/** Of an engine that computes on the graphics device that WebGPU takes. */
export async function onWebGpu({ gpus }: Machine, backend: string): Promise<EngineFacts> {
  const adapter = await findAdapter().catch(() => undefined)
  return {
    backend,
    device: adapter?.name ?? null,
    driver: adapter?.driver ?? null,
    memory: adapter?.memory ? { total: adapter.memory, free: null } : null,
    libraries: [],
    advice: adapter?.isGpu === true ? [] : driverAdvice(gpus, adapter),
  }
}

function driverAdvice(gpus: Machine['gpus'], adapter: Adapter | undefined): readonly string[] {
  const software = adapter && `Vulkan finds ${adapter.name} alone, which is software, and slower than the CPU itself`
  if (gpus.length === 0) return software === undefined ? [] : [`${software}: "auto" leaves it.`]
  const drivers = gpus.includes('NVIDIA')
    ? "NVIDIA's driver with its Vulkan part (in a container NVIDIA_DRIVER_CAPABILITIES=all), and apt install libvulkan1"
    : 'apt install libvulkan1 mesa-vulkan-drivers'
  const found = software ?? 'Vulkan finds no device'
  return [`A graphics card is there (${gpus.join(', ')}), and ${found}: a Vulkan driver is missing: ${drivers}.`]
}
