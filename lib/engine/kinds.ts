import type { EngineName } from '../util/engine-names.ts'
import type { Engine } from './engine.ts'
import type { CudaPrecision, Precision, WebGpuPrecision } from './precision.ts'

export interface Kind<P extends Precision = Precision> {
  readonly name: EngineName
  /** What it is and what it needs, for people. */
  readonly about: string
  /** A method, so that kinds of fewer precisions are kinds, too: `openEngine` asks for none but those. */
  open(threads: number, precision: P): Promise<Engine>
  readonly precisions: readonly P[]
  /** Whether `auto` may take it where it works; it may where this is absent. */
  readonly suitsAuto?: () => Promise<boolean>
}

const cuda: Kind<CudaPrecision> = {
  name: 'cuda',
  about: 'kernels written from the graph, on an NVIDIA card; needs its driver, and NVRTC and cuBLASLt of CUDA',
  precisions: ['fp32', 'tf32', 'bf16'],
  async open(_, precision) {
    const [{ openCuda }, { openCard }] = await Promise.all([import('./cuda/engine.ts'), import('./cuda/open-card.ts')])
    return openCuda(await openCard(), { precision })
  },
}

const onnxWebGpu: Kind<WebGpuPrecision> = {
  name: 'onnx-webgpu',
  precisions: ['fp32', 'fp16'],
  about: 'ONNX Runtime on a GPU, by way of WebGPU; on Linux it needs libvulkan.so.1 and a Vulkan driver',
  open: async (_, precision) => (await import('./onnx/webgpu.ts')).openOnnxWebGpu(precision),
  suitsAuto: async () => (await import('./adapter.ts')).hasGpu(),
}

const never = (): Promise<boolean> => Promise.resolve(false)

/** Best first: `auto` takes the first that works here. Their packages are loaded when they are opened. */
export const engineKinds: readonly Kind[] = [
  cuda,
  {
    name: 'tfjs-node-gpu',
    precisions: ['fp32'],
    about:
      "TensorFlow's own library by way of TensorFlow.js, on an NVIDIA card, else on the CPU; `npm run setup:tfjs-node` brings it",
    open: async (threads) => (await import('./tfjs/node.ts')).openTfjsNode(threads),
    suitsAuto: async () => (await import('./tfjs/node.ts')).suitsTfjsNode(),
  },
  onnxWebGpu,
  {
    name: 'tfjs-webgpu',
    precisions: ['fp32'],
    about: 'TensorFlow.js on a GPU, by way of WebGPU; on Linux it needs libvulkan.so.1 and a Vulkan driver',
    open: async () => (await import('./tfjs/webgpu.ts')).openTfjsWebGpu(),
    suitsAuto: never,
  },
  {
    name: 'onnx-cpu',
    precisions: ['fp32'],
    about: 'ONNX Runtime on the CPU',
    open: async (threads) => (await import('./onnx/engine.ts')).openOnnxCpu(threads),
  },
  {
    name: 'tfjs-wasm',
    precisions: ['fp32'],
    about: "TensorFlow.js's WebAssembly backend: one thread",
    open: async () => (await import('./tfjs/wasm.ts')).openTfjsWasm(),
    suitsAuto: never,
  },
  {
    name: 'tfjs-cpu',
    precisions: ['fp32'],
    about: "TensorFlow.js's plain JavaScript backend: slow, one thread; it checks the other engines",
    open: async () => (await import('./tfjs/engine.ts')).openTfjsCpu(),
  },
]
