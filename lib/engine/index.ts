import { Failure } from '../util/failure.ts'
import type { Engine } from './engine.ts'

export type { Engine, Memory, Program, TensorValue } from './engine.ts'

interface Kind {
  readonly name: string
  /** What it is and what it needs, for people. */
  readonly about: string
  readonly open: (threads: number) => Promise<Engine>
  /** Whether `auto` may take it where it works; it may where this is absent. */
  readonly suitsAuto?: () => Promise<boolean>
}

/** Best first: `auto` takes the first that works here. Their packages are loaded when they are opened. */
export const engineKinds: readonly Kind[] = [
  {
    name: 'cuda',
    about: 'kernels written from the graph, on an NVIDIA card; needs its driver, and NVRTC and cuBLASLt of CUDA',
    open: async () => {
      const [{ openCuda }, { openCard }] = await Promise.all([
        import('./cuda/engine.ts'),
        import('./cuda/open-card.ts'),
      ])
      return openCuda(await openCard(), { precision: 'fp32' })
    },
  },
  {
    name: 'onnx-webgpu',
    about: 'ONNX Runtime on a GPU, by way of WebGPU; on Linux it needs libvulkan.so.1 and a Vulkan driver',
    open: async () => (await import('./onnx/webgpu.ts')).openOnnxWebGpu(),
    suitsAuto: async () => (await import('./onnx/adapter.ts')).hasGpu(),
  },
  {
    name: 'onnx-cpu',
    about: 'ONNX Runtime on the CPU',
    open: async (threads) => (await import('./onnx/engine.ts')).openOnnxCpu(threads),
  },
  {
    name: 'tfjs-cpu',
    about: "TensorFlow.js's plain JavaScript backend: slow, one thread; it checks the other engines",
    open: async () => (await import('./tfjs/engine.ts')).openTfjsCpu(),
  },
]

/**
 * Opens an engine by name; `auto` is the fastest that works here. Throws Failure `ENGINE_UNKNOWN` or `ENGINE_BROKEN`,
 * which name those that there are.
 */
export async function openEngine(choice: { readonly name: string; readonly threads: number }): Promise<Engine> {
  if (choice.name === 'auto') return openBest(choice.threads)
  const kind = engineKinds.find(({ name }) => name === choice.name)
  if (!kind) {
    throw new Failure('ENGINE_UNKNOWN', `"${choice.name}" is no engine: expected ${names()}`)
  }
  return open(kind, choice.threads)
}

async function openBest(threads: number): Promise<Engine> {
  const failures: unknown[] = []
  for (const kind of engineKinds) {
    if (!(await suits(kind))) continue
    try {
      return await open(kind, threads)
    } catch (failure) {
      failures.push(failure)
    }
  }
  throw new Failure('ENGINE_BROKEN', `no engine works here: ${failures.map(String).join('; ')}`, { exitCode: 1 })
}

export const suits = async ({ suitsAuto }: Kind): Promise<boolean> => (await suitsAuto?.()) ?? true

async function open({ name, open: start }: Kind, threads: number): Promise<Engine> {
  try {
    return await start(threads)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `the engine "${name}" does not work here: ${reason}; choose another of ${names()}`
    throw new Failure('ENGINE_BROKEN', message, { exitCode: 1, cause })
  }
}

const names = (): string => ['auto', ...engineKinds.map(({ name }) => name)].join(', ')
