import { Failure } from '../../util/failure.ts'
import type { Engine } from '../engine.ts'
import { openTfjs, start } from './engine.ts'
import type { Tf } from './ops.ts'
import type { WasmBackend } from './wasm-backend.ts'
import { supplyKernels } from './wasm-kernels.ts'

/** TensorFlow.js's WebAssembly backend. Its programs throw Failure `DEVICE_MEMORY`. */
export const openTfjsWasm = (): Promise<Engine> =>
  openTfjs('tfjs-wasm', async (tf) => {
    begun ??= begin(tf)
    await begun
    await start(tf, 'wasm')
    return '1 thread'
  })

let begun: Promise<void> | undefined

async function begin(tf: Tf): Promise<void> {
  await import('@tensorflow/tfjs-backend-wasm')
  supplyKernels(tf)
  await start(tf, 'wasm')
  guardMemory((tf.backend() as unknown as WasmBackend).wasm)
}

/** All that WebAssembly can address, but for its last page. */
const largest = 2 ** 32 - 2 ** 16

/** The backend takes address 0 for memory, and asks for 16 bytes where it means 4 GiB more. */
function guardMemory(wasm: WasmBackend['wasm']): void {
  wasm._free(wasm._malloc(1)) // replaces _malloc itself, the first time
  const allocate = wasm._malloc
  wasm._malloc = (bytes) => {
    const address = bytes > largest ? 0 : allocate(bytes)
    if (address !== 0) return address
    const message = `WebAssembly's 4 GiB are used up: ${bytes} bytes more were asked for: lower the batch, the context or the chunk of the loss, or choose another engine`
    throw new Failure('DEVICE_MEMORY', message, { exitCode: 1 })
  }
}
