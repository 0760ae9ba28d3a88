import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import util from 'node:util'
import type { Engine } from '../engine.ts'
import { openTfjs, start } from './engine.ts'
import type { Tf } from './ops.ts'

/**
 * TensorFlow's own library by way of @tensorflow/tfjs-node-gpu: on an NVIDIA card where it sees one, else on the CPU. The
 * first that a process opens decides the number of its threads. Throws where the package's native part is missing.
 */
export const openTfjsNode = (threads: number): Promise<Engine> =>
  openTfjs('tfjs-node-gpu', async (tf) => {
    await load(threads)
    await start(tf, 'tensorflow')
    return describeDevice(tf)
  })

/** Whether it works here on a GPU. */
export async function suitsTfjsNode(): Promise<boolean> {
  // the library takes a second to load: not where there is no card for it
  const card = process.platform !== 'linux' || ['/dev/nvidiactl', '/dev/dxg'].some((file) => existsSync(file))
  if (!card) return false
  try {
    const { device } = await openTfjsNode(1)
    return /GPU/.test(device)
  } catch {
    return false
  }
}

const name = '@tensorflow/tfjs-node-gpu'
const advice = 'run `npm run setup:tfjs-node`, which brings it'

let loaded: { readonly threads: number } | undefined

async function load(threads: number): Promise<void> {
  if (loaded) return
  if (!existsSync(nativePart())) throw new Error(`the native part of ${name} is not there: ${advice}`)
  configure(threads)
  try {
    await import('@tensorflow/tfjs-node-gpu')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the native part of ${name} does not load (${reason}): ${advice} anew`, { cause })
  }
  loaded = { threads }
}

/** Where the package looks for it: of the versions of Node-API that it was made for, all our versions of Node have the last. */
function nativePart(): string {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
    return join(folder, 'lib', 'napi-v8', 'tfjs_binding.node')
  } catch (cause) {
    throw new Error(`the package ${name} is not installed: \`npm install ${name}\`, then ${advice}`, { cause })
  }
}

/** What the library reads once, when it is loaded. What the user has set stands. */
function configure(threads: number): void {
  const variables = {
    TF_CPP_MIN_LOG_LEVEL: '2', // errors alone
    TF_FORCE_GPU_ALLOW_GROWTH: 'true', // else it takes the card's whole memory at once
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: '1', // ops are called one after the other
  }
  for (const [variable, value] of Object.entries(variables)) process.env[variable] ??= value
  // the package calls what Node 23 no longer has
  const old = util as unknown as Record<string, unknown>
  old['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined
  old['isArray'] ??= Array.isArray
}

interface NodeBackend {
  readonly isUsingGpuDevice: boolean
  readonly binding: { readonly TF_Version: string }
}

function describeDevice(tf: Tf): string {
  const { isUsingGpuDevice, binding } = tf.backend() as unknown as NodeBackend
  const library = `TensorFlow ${binding.TF_Version}`
  const threads = loaded!.threads
  return isUsingGpuDevice
    ? `${library} on a GPU`
    : `${library} on the CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}
