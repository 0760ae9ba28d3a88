import type * as TensorFlow from '@tensorflow/tfjs-core'
import type { TensorValue } from '../engine.ts'
import type { Tf } from './ops.ts'

/** The tensor takes the array over. */
export const upload = (tf: Tf, { shape, data }: TensorValue): TensorFlow.Tensor =>
  tf.tensor(data, [...shape], data instanceof Float32Array ? 'float32' : 'int32')

/** A copy: the backend may hand out the very array that it keeps. */
export async function download(value: TensorFlow.Tensor): Promise<TensorValue> {
  const data = await value.data()
  return { shape: value.shape, data: value.dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data) }
}
