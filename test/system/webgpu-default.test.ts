import { before, it } from 'node:test'
import { agreesOnDefault } from './default-by-engine.ts'
import { bringDriver, toDriver } from './lavapipe.ts'

before(bringDriver)

// all four epochs take nine minutes in software
it('onnx-webgpu runs the embedded default of one epoch, which comes out as by onnx-cpu', (t) =>
  agreesOnDefault(t, 'onnx-webgpu', { env: toDriver, epochs: 1 }))
