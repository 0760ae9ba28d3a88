import type * as OnnxRuntime from 'onnxruntime-node'
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import type { Feed, TensorValue } from '../engine.ts'

/** A tensor over the value's own array. */
export function toOrt({ Tensor }: typeof OnnxRuntime, { shape, data }: Feed): OrtTensor {
  if (data instanceof Uint16Array) return new Tensor('float16', data, shape)
  return data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('int32', data, shape)
}

/** The value over the tensor's own array. */
export function fromOrt({ dims, data }: OrtTensor): TensorValue {
  if (data instanceof Float32Array || data instanceof Int32Array) return { shape: dims, data }
  throw new Error('Internal error: a result is neither float32 nor int32')
}
