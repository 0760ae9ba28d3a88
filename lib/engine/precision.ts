/** Of the factors of a matrix product: its sums, and all else, are float32 with each of them. */
export const precisions = ['fp32', 'tf32', 'bf16'] as const
export type Precision = (typeof precisions)[number]

/** As a stage's parameter: a numeric choice, and so a part of its key. */
export const precisionProperty = {
  enum: precisions,
  default: 'fp32',
  description:
    'of the factors of matrix products: float32; rounded to 10 bits; or to the 7 of bfloat16. GPUs alone round',
} as const
