import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { join } from 'node:path'

/** What a program may use of the machine that it runs on. */
export interface Machine {
  /** `AMD EPYC 9B14` */
  readonly cpu: string
  readonly cores: number
  /** Of these cores, those that this process may run on. */
  readonly threads: number
  /** How many cores' time the container is given; null where nothing limits it. */
  readonly quota: number | null
  /** In bytes; what the container may use, where that is less. */
  readonly memory: { readonly total: number; readonly free: number }
  /** Makers of the graphics cards on its bus. */
  readonly gpus: readonly GpuMaker[]
  readonly platform: string
  readonly node: string
}

export type GpuMaker = 'NVIDIA' | 'AMD' | 'Intel'

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: cpus().length,
    threads: availableParallelism(),
    quota: quotaIn('/sys/fs/cgroup'),
    memory: { total: machineMemory(), free: Math.min(freemem(), process.availableMemory()) },
    gpus: gpusIn('/sys/bus/pci/devices'),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
  }
}

/** Bytes; what the container may use, where it is less than the machine has. */
export const machineMemory = (): number => Math.min(totalmem(), process.constrainedMemory() || Infinity)

/** By cgroup v2, `200000 100000`, or v1, where a quota of -1 is none. */
export function quotaIn(folder: string): number | null {
  const [quota, period] =
    read(join(folder, 'cpu.max'))?.split(' ') ??
    ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => read(join(folder, 'cpu', name)))
  const cores = Number(quota) / Number(period)
  return cores > 0 ? cores : null // "max" is no number
}

const makers: Readonly<Record<string, GpuMaker>> = { '0x10de': 'NVIDIA', '0x1002': 'AMD', '0x8086': 'Intel' }

/** Display controllers are of class 3; on other systems than Linux there is no such folder, and nothing is known. */
export function gpusIn(folder: string): readonly GpuMaker[] {
  const devices = list(folder).filter((device) => read(join(folder, device, 'class'))?.startsWith('0x03'))
  return devices.flatMap((device) => makers[read(join(folder, device, 'vendor')) ?? ''] ?? [])
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}
