import type { EngineName } from '../util/engine-names.ts'
import { examineCuda } from './cuda/facts.ts'
import type { Examine } from './facts.ts'
import { examineOnnxCpu, examineOnnxWebGpu } from './onnx/facts.ts'
import { examineTfjs } from './tfjs/facts.ts'

/** Beside their openers, which stages run: no stage is to run again because words about an engine changed. */
export const examine: Readonly<Record<EngineName, Examine>> = {
  cuda: examineCuda,
  'onnx-webgpu': examineOnnxWebGpu,
  'onnx-cpu': examineOnnxCpu,
  'tfjs-cpu': examineTfjs('"cpu" backend', '@tensorflow/tfjs-backend-cpu'),
}
