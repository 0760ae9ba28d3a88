import { Failure } from '../../util/failure.ts'
import { findAdapter } from '../adapter.ts'
import type { Engine } from '../engine.ts'
import { checkSizes } from '../tensor-sizes.ts'
import { makeGpu } from './dawn.ts'
import type { Gpu } from './dawn.ts'
import { openTfjs, start } from './engine.ts'
import type { Tf } from './ops.ts'

/**
 * TensorFlow.js's WebGPU backend on Dawn, Chrome's implementation of WebGPU. All engines of a process share one device,
 * which is given back when the last of them is disposed of: the process can end then. Throws where there is no device; its
 * `compile` throws Failure `TENSOR_TOO_LARGE`, and its programs `DEVICE_MEMORY` or `DEVICE_FAILED`.
 */
export async function openTfjsWebGpu(): Promise<Engine> {
  await findAdapter() // where there is no Vulkan it says what to install, and Dawn does not
  users++
  let open = true
  const dispose = async (): Promise<void> => {
    if (open) await leave()
    open = false
  }
  try {
    const gpu = await (shared ??= makeGpu())
    return await openTfjs('tfjs-webgpu', (tf) => begin(tf, gpu), {
      admit: (graph) => checkSizes(graph, gpu),
      check: () => check(gpu),
      dispose,
    })
  } catch (cause) {
    await dispose()
    throw cause
  }
}

let shared: Promise<Gpu> | undefined
let users = 0

async function begin(tf: Tf, gpu: Gpu): Promise<string> {
  tf.registerBackend('webgpu', () => gpu.makeBackend()) // the first alone counts
  await start(tf, 'webgpu')
  return gpu.name
}

/** Ends the device when its last user leaves. */
async function leave(): Promise<void> {
  if (--users > 0) return
  const ending = shared
  shared = undefined
  const [tf, gpu] = await Promise.all([import('@tensorflow/tfjs-core'), ending?.catch(() => undefined)])
  if (!gpu) return
  tf.removeBackend('webgpu')
  gpu.end()
}

/** Once something went wrong, no tensor on the device can be trusted. */
function check({ name, error }: Gpu): void {
  if (!error) return
  const [code, advice] = error.outOfMemory
    ? (['DEVICE_MEMORY', ': lower the batch, the context or the chunk of the loss'] as const)
    : (['DEVICE_FAILED', ''] as const)
  throw new Failure(code, `${name} failed in the middle of work: ${error.message}${advice}`, { exitCode: 1 })
}
