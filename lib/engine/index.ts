import { Failure } from '../util/failure.ts'
import type { Engine } from './engine.ts'
import { precisions } from './precision.ts'
import type { Precision } from './precision.ts'

export type { Engine, Feed, Feeds, Memory, Program, TensorValue } from './engine.ts'
export { precisionProperty } from './precision.ts'
export type { Precision } from './precision.ts'

interface Kind {
  readonly name: string
  /** What it is and what it needs, for people. */
  readonly about: string
  readonly open: (threads: number, precision: Precision) => Promise<Engine>
  readonly precisions: readonly Precision[]
  /** Whether `auto` may take it where it works; it may where this is absent. */
  readonly suitsAuto?: () => Promise<boolean>
}

/** Best first: `auto` takes the first that works here. Their packages are loaded when they are opened. */
export const engineKinds: readonly Kind[] = [
  {
    name: 'cuda',
    about: 'kernels written from the graph, on an NVIDIA card; needs its driver, and NVRTC and cuBLASLt of CUDA',
    precisions,
    open: async (_, precision) => {
      const [{ openCuda }, { openCard }] = await Promise.all([
        import('./cuda/engine.ts'),
        import('./cuda/open-card.ts'),
      ])
      return openCuda(await openCard(), { precision })
    },
  },
  {
    name: 'tfjs-node-gpu',
    precisions: ['fp32'],
    about:
      "TensorFlow's own library by way of TensorFlow.js, on an NVIDIA card, else on the CPU; `npm run setup:tfjs-node` brings it",
    open: async (threads) => (await import('./tfjs/node.ts')).openTfjsNode(threads),
    suitsAuto: async () => (await import('./tfjs/node.ts')).suitsTfjsNode(),
  },
  {
    name: 'onnx-webgpu',
    precisions: ['fp32'],
    about: 'ONNX Runtime on a GPU, by way of WebGPU; on Linux it needs libvulkan.so.1 and a Vulkan driver',
    open: async () => (await import('./onnx/webgpu.ts')).openOnnxWebGpu(),
    suitsAuto: async () => (await import('./onnx/adapter.ts')).hasGpu(),
  },
  {
    name: 'onnx-cpu',
    precisions: ['fp32'],
    about: 'ONNX Runtime on the CPU',
    open: async (threads) => (await import('./onnx/engine.ts')).openOnnxCpu(threads),
  },
  {
    name: 'tfjs-cpu',
    precisions: ['fp32'],
    about: "TensorFlow.js's plain JavaScript backend: slow, one thread; it checks the other engines",
    open: async () => (await import('./tfjs/engine.ts')).openTfjsCpu(),
  },
]

interface EngineChoice {
  /** `auto` or an engine's name. */
  readonly name: string
  readonly threads: number
  /** fp32. */
  readonly precision?: Precision
}

/**
 * Opens an engine by name; `auto` is the fastest that works here in this precision. Throws Failure ENGINE_UNKNOWN,
 * ENGINE_PRECISION or ENGINE_BROKEN, which name those that there are.
 */
export async function openEngine({ name, threads, precision = 'fp32' }: EngineChoice): Promise<Engine> {
  if (name === 'auto') return openBest(threads, precision)
  const kind = engineKinds.find((one) => one.name === name)
  if (!kind) throw new Failure('ENGINE_UNKNOWN', `"${name}" is no engine: expected ${names()}`)
  if (kind.precisions.includes(precision)) return open(kind, threads, precision)
  const able = engineKinds.filter((one) => one.precisions.includes(precision)).map((one) => one.name)
  const message = `the engine "${name}" computes in ${kind.precisions.join(', ')}, and \`precision\` is ${precision}: choose the engine ${able.join(' or ')}, or another precision`
  throw new Failure('ENGINE_PRECISION', message)
}

async function openBest(threads: number, precision: Precision): Promise<Engine> {
  const failures: unknown[] = []
  for (const kind of engineKinds) {
    if (!kind.precisions.includes(precision) || !(await suits(kind))) continue
    try {
      return await open(kind, threads, precision)
    } catch (failure) {
      failures.push(failure)
    }
  }
  const advice = precision === 'fp32' ? '' : '; with `precision: fp32` the CPU would do'
  const message = `no engine works here in ${precision}: ${failures.map(String).join('; ')}${advice}`
  throw new Failure('ENGINE_BROKEN', message, { exitCode: 1 })
}

export const suits = async ({ suitsAuto }: Kind): Promise<boolean> => (await suitsAuto?.()) ?? true

async function open({ name, open: start }: Kind, threads: number, precision: Precision): Promise<Engine> {
  try {
    return await start(threads, precision)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `the engine "${name}" does not work here: ${reason}; choose another of ${names()}`
    throw new Failure('ENGINE_BROKEN', message, { exitCode: 1, cause })
  }
}

const names = (): string => ['auto', ...engineKinds.map(({ name }) => name)].join(', ')
