/** What is computed with. */
export type ComputeType = 'float32' | 'int32' | 'bool'
/** `float16` is how an input may come, in half the bytes: it is cast before anything else is done with it. So may an output go. */
export type DType = ComputeType | 'float16'
export type Shape = readonly number[]

type None = Readonly<Record<string, never>>
interface Reduction {
  readonly axes: readonly number[]
  readonly keepDims: boolean
}

/**
 * softmax(scale · q·kᵀ) · v of (B, T, H, D). Where `causal`, token i sees j ≤ i; with a window, of those the last so many;
 * with a last input of bool, stretched to (B, 1, T, T), of those the ones where it holds: all are alike where it never does.
 */
interface Attention {
  readonly scale: number
  readonly causal: boolean
  readonly window?: number | undefined
}

/** What each op needs beside its inputs. The keys are the ops of the language; every table of ops is total over them. */
export interface Attributes {
  // leaves
  input: { readonly name: string; readonly shape: Shape; readonly dtype: DType }
  state: { readonly name: string; readonly shape: Shape; readonly dtype: ComputeType }
  constant: { readonly data: Float32Array | Int32Array; readonly shape: Shape; readonly dtype: ComputeType }
  iota: { readonly shape: Shape; readonly axis: number }
  // elementwise
  neg: None
  exp: None
  log: None
  sqrt: None
  rsqrt: None
  tanh: None
  square: None
  abs: None
  gelu: None
  geluDerivative: None
  not: None
  pow: { readonly exponent: number }
  cast: { readonly dtype: ComputeType }
  stopGradient: None
  add: None
  sub: None
  mul: None
  div: None
  maximum: None
  minimum: None
  equal: None
  less: None
  lessEqual: None
  greater: None
  greaterEqual: None
  and: None
  or: None
  where: None
  // reductions
  sum: Reduction
  mean: Reduction
  max: Reduction
  argMax: None
  // shape
  reshape: { readonly shape: Shape }
  transpose: { readonly perm: readonly number[] }
  broadcastTo: { readonly shape: Shape }
  concat: { readonly axis: number }
  slice: { readonly starts: readonly number[]; readonly sizes: readonly number[] }
  pad: { readonly before: readonly number[]; readonly after: readonly number[] }
  // indexing
  gather: None
  scatterAdd: { readonly rows: number }
  takeAlong: None
  putAlong: { readonly size: number }
  dynamicUpdateSlice: { readonly axis: number }
  // linear algebra and rows
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly scale: number }
  softmax: None
  logSoftmax: None
  layerNorm: { readonly epsilon: number }
  layerNormMean: { readonly epsilon: number }
  layerNormInverse: { readonly epsilon: number }
  // what some engines put into a graph: outputs as the nearest float16
  toHalf: None
  // kernels in the place of products and a softmax; all gradients side by side: (B, T, 3H, D)
  attention: Attention
  attentionLogSum: Attention
  attentionGradient: Attention & { readonly of: 'q' | 'k' | 'v' | 'all' }
  // what only concerns derivatives
  withGradient: None
  recomputed: { readonly fn: (...inputs: readonly Tensor[]) => Tensor }
}

export type OpName = keyof Attributes

export interface Node<N extends OpName> {
  readonly op: N
  readonly inputs: readonly Tensor[]
  readonly attributes: Attributes[N]
  readonly shape: Shape
  readonly dtype: DType
}

/** An immutable node of an expression: nothing has run, and nothing runs here. */
export type Tensor = { [N in OpName]: Node<N> }[OpName]

/** Number of elements. */
export const sizeOf = (shape: Shape): number => shape.reduce((size, length) => size * length, 1)

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((length, axis) => length === b[axis])

/** `float32[8,128]`, for messages. */
export const describe = (tensor: { readonly dtype: DType; readonly shape: Shape }): string =>
  `${tensor.dtype}[${tensor.shape.join(',')}]`
