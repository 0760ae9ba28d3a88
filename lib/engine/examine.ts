import type { EngineName } from '../util/engine-names.ts'
import { examineCuda } from './cuda/facts.ts'
import type { Examine } from './facts.ts'
import { examineOnnxCpu, examineOnnxWebGpu } from './onnx/facts.ts'
import { examineTfjs, examineTfjsNode, examineTfjsWebGpu } from './tfjs/facts.ts'

/** Beside their openers, which stages run: no stage is to run again because words about an engine changed. */
export const examine: Readonly<Record<EngineName, Examine>> = {
  cuda: examineCuda,
  'tfjs-node-gpu': examineTfjsNode,
  'onnx-webgpu': examineOnnxWebGpu,
  'tfjs-webgpu': examineTfjsWebGpu,
  'onnx-cpu': examineOnnxCpu,
  'tfjs-wasm': examineTfjs('"wasm" backend', '@tensorflow/tfjs-backend-wasm'),
  'tfjs-cpu': examineTfjs('"cpu" backend', '@tensorflow/tfjs-backend-cpu'),
}
