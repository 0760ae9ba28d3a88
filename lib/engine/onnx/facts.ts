import type { EngineFacts } from '../../util/diagnosis.ts'
import type { Machine } from '../../util/machine.ts'
import { onCpu, versionOf } from '../facts.ts'
import { onWebGpu } from '../webgpu-facts.ts'

export const examineOnnxCpu = (machine: Machine): Promise<EngineFacts> =>
  Promise.resolve(onCpu(machine, `CPUExecutionProvider of ${versionOf('onnxruntime-node')}`))

export const examineOnnxWebGpu = (machine: Machine): Promise<EngineFacts> =>
  onWebGpu(machine, `WebGpuExecutionProvider of ${versionOf('onnxruntime-node')}`)
