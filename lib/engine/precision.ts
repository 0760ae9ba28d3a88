import { choices } from '../util/choices.ts'

/** Of the factors of a matrix product: its sums, and all else, are float32 with each of them. */
export const precisions = ['fp32', 'tf32', 'bf16', 'fp16'] as const
export type Precision = (typeof precisions)[number]
export type CudaPrecision = Exclude<Precision, 'fp16'>
export type WebGpuPrecision = Extract<Precision, 'fp32' | 'fp16'>

/** As a stage's parameter: a numeric choice, and so a part of its key. */
export const precisionProperty = {
  ...choices<Precision>({
    fp32: 'float32 as it is, 24 significant bits, on every engine',
    tf32: 'rounded to 11 significant bits of the same range, on NVIDIA cards',
    bf16: 'rounded to 8 significant bits of the same range (bfloat16), on NVIDIA cards',
    fp16: 'rounded to 11 significant bits up to 65,504 (float16), on WebGPU; a training scales its loss (Micikevicius et al. 2018, arXiv:1710.03740)',
  }),
  default: 'fp32',
  description:
    'of the factors of matrix products; their sums, the weights and all else are float32. A numeric choice, and so a part of the key',
} as const
