import { fromBfloat16, fromHalf } from '../util/half.ts'

/** Size in bytes of an element, and how its bytes become float32. The names are those of safetensors. */
export const dtypes = {
  BOOL: { bytes: 1, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Uint8Array(raw)) },
  U8: { bytes: 1, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Uint8Array(raw)) },
  I8: { bytes: 1, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Int8Array(raw)) },
  I16: { bytes: 2, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Int16Array(raw)) },
  U16: { bytes: 2, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Uint16Array(raw)) },
  F16: { bytes: 2, toFloat: (raw: ArrayBuffer) => fromHalf(new Uint16Array(raw)) },
  BF16: { bytes: 2, toFloat: (raw: ArrayBuffer) => fromBfloat16(new Uint16Array(raw)) },
  I32: { bytes: 4, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Int32Array(raw)) },
  U32: { bytes: 4, toFloat: (raw: ArrayBuffer) => Float32Array.from(new Uint32Array(raw)) },
  F32: { bytes: 4, toFloat: (raw: ArrayBuffer) => new Float32Array(raw) },
  I64: { bytes: 8, toFloat: (raw: ArrayBuffer) => Float32Array.from(new BigInt64Array(raw), Number) },
  U64: { bytes: 8, toFloat: (raw: ArrayBuffer) => Float32Array.from(new BigUint64Array(raw), Number) },
  F64: { bytes: 8, toFloat: (raw: ArrayBuffer) => new Float32Array(new Float64Array(raw)) },
} satisfies Record<string, { bytes: number; toFloat: (raw: ArrayBuffer) => Float32Array }>

export type Dtype = keyof typeof dtypes

export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(dtypes, name)
}
