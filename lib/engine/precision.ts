/** Of the factors of a matrix product: its sums, and all else, are float32 with each of them. */
export const precisions = ['fp32', 'tf32', 'bf16', 'fp16'] as const
export type Precision = (typeof precisions)[number]
export type CudaPrecision = Exclude<Precision, 'fp16'>
export type WebGpuPrecision = Extract<Precision, 'fp32' | 'fp16'>

/** As a stage's parameter: a numeric choice, and so a part of its key. */
export const precisionProperty = {
  enum: precisions,
  default: 'fp32',
  description:
    'of the factors of matrix products: float32; rounded to 10 bits; to the 7 of bfloat16; to the 10 of float16, whose range is small. GPUs alone round',
} as const
