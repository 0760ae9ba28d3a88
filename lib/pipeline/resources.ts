import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Lock } from '../util/lock.ts'
import { machineMemory } from '../util/machine.ts'
import type { Resources } from './pipeline.ts'

export interface Capacity {
  /** Ids of the GPUs; one `''`, the stand-in, where there is none, so that two trainings never share the cores. */
  readonly gpus: readonly string[]
  readonly cpu: number
  /** Bytes. */
  readonly memory: number
  /** Stages at once. */
  readonly jobs: number
}

export interface Grant {
  readonly gpus: readonly string[]
  /** GPUs that would do as well, where another run on the host has one of `gpus`. */
  readonly others?: readonly string[]
  /** What keeps the GPUs from those runs. */
  readonly locks?: readonly Lock[]
  /** CPU threads that the stage may use. */
  readonly threads: number
  release(): void
}

/** What a stage holds of this machine that runs on another. */
export const NOTHING_HERE: Grant = { gpus: [], threads: 1, release: () => undefined }

export function machineCapacity(jobs: number | undefined, env: NodeJS.ProcessEnv): Capacity {
  const ids = gpuIds(env)
  const cpu = availableParallelism()
  return { gpus: ids.length === 0 ? [''] : ids, cpu, memory: machineMemory(), jobs: Math.max(1, jobs ?? cpu) }
}

function gpuIds(env: NodeJS.ProcessEnv): string[] {
  const visible = env.CUDA_VISIBLE_DEVICES
  if (visible !== undefined) {
    const ids = visible.split(',').map((id) => id.trim())
    return [...new Set(ids)].filter((id) => id !== '' && id !== '-1')
  }
  try {
    return readdirSync('/proc/driver/nvidia/gpus').map((_, index) => String(index))
  } catch {
    return []
  }
}

interface Need {
  readonly gpu: number
  readonly cpu: number
  readonly memory: number
}

/**
 * Hands out GPUs, cores and memory, to each stage all that it asks for or nothing yet, in the order of asking, so that
 * none that asks for much waits for ever. Who asks for more GPUs or cores than there are gets all of them; who asks for
 * more memory was refused before (machine-limits.ts).
 */
export class Pool {
  readonly #capacity: Capacity
  readonly #gpus: string[]
  #cpu: number
  #memory: number
  #jobs: number
  readonly #queue: { readonly need: Need; readonly grant: (grant: Grant) => void }[] = []

  constructor(capacity: Capacity) {
    this.#capacity = capacity
    this.#gpus = [...capacity.gpus]
    this.#cpu = capacity.cpu
    this.#memory = capacity.memory
    this.#jobs = capacity.jobs
  }

  take(resources: Resources): Promise<Grant> {
    return new Promise((grant) => {
      this.#queue.push({ need: this.#need(resources), grant })
      this.#serve()
    })
  }

  #need(resources: Resources): Need {
    const { gpus, cpu, memory } = this.#capacity
    const gpu = Math.min(resources.gpu, gpus.length)
    const standIn = gpu > 0 && gpus[0] === ''
    const threads = resources.cpu > 0 ? resources.cpu : standIn ? cpu : 1
    return { gpu, cpu: Math.min(threads, cpu), memory: Math.min(resources.memory, memory) }
  }

  #serve(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#fits(next.need); next = this.#queue[0]) {
      this.#queue.shift()
      next.grant(this.#grant(next.need))
    }
  }

  #fits(need: Need): boolean {
    return this.#jobs > 0 && need.gpu <= this.#gpus.length && need.cpu <= this.#cpu && need.memory <= this.#memory
  }

  #grant(need: Need): Grant {
    const gpus = this.#gpus.splice(0, need.gpu)
    this.#jobs -= 1
    this.#cpu -= need.cpu
    this.#memory -= need.memory
    const release = (): void => {
      this.#gpus.push(...gpus)
      this.#jobs += 1
      this.#cpu += need.cpu
      this.#memory += need.memory
      this.#serve()
    }
    const [given, others] = [gpus, this.#capacity.gpus.filter((id) => !gpus.includes(id))].map((ids) =>
      ids.filter((id) => id !== ''),
    )
    return { gpus: given!, others: need.gpu > 0 ? others! : [], threads: need.cpu, release }
  }
}
