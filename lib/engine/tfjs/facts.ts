import type { EngineFacts } from '../../util/diagnosis.ts'
import type { Machine } from '../../util/machine.ts'
import { onCpu, versionOf } from '../facts.ts'
import type { Examine } from '../facts.ts'
import { onWebGpu } from '../webgpu-facts.ts'
import { openTfjsNode } from './node.ts'

/** Of a backend of TensorFlow.js that computes on the CPU. */
export const examineTfjs =
  (backend: string, packageName: string): Examine =>
  (machine) =>
    Promise.resolve(onCpu(machine, `${backend} of ${versionOf(packageName)}`))

/** TensorFlow alone knows whether it sees a card that it can use, and neither its memory nor its driver. */
export async function examineTfjsNode(machine: Machine): Promise<EngineFacts> {
  const backend = `TensorFlow of ${versionOf('@tensorflow/tfjs-node-gpu')}`
  const device = await openTfjsNode(machine.threads).then(
    (engine) => engine.device,
    () => undefined,
  )
  if (device?.endsWith('GPU') !== true)
    return { ...onCpu(machine, backend), device: device === undefined ? null : 'cpu' }
  return { backend, device: 'GPU', driver: null, memory: null, libraries: [], advice: [] }
}

export async function examineTfjsWebGpu(machine: Machine): Promise<EngineFacts> {
  const backend = `"webgpu" backend of ${versionOf('@tensorflow/tfjs-backend-webgpu')}, on Dawn of ${versionOf('webgpu')}`
  // the engine before it says what would help
  return { ...(await onWebGpu(machine, backend)), advice: [] }
}
