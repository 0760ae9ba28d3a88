import { fromHalf } from '../util/half.ts'
import type { Feed, TensorValue } from './engine.ts'

/** In float32 where it is of half precision: for what cannot read that. */
export const widened = ({ shape, data }: Feed): TensorValue => ({
  shape,
  data: data instanceof Uint16Array ? fromHalf(data) : data,
})
