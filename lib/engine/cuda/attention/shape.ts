import type { Grid } from '../device.ts'
import type { CudaPrecision } from '../../precision.ts'

/**
 * Attention of queries to as many keys, for each row of a batch and each head: softmax(scale · q·kᵀ) · v. What is read and
 * written are tokens: the heads of one lie one behind another, `width` entries each. Rows of the batch lie `length` tokens
 * apart. Log-sums and deltas are f32 (batch, heads, length).
 */
export interface AttentionShape {
  /** Of the products. Tokens are bf16 with `bf16`, else f32. */
  readonly precision: CudaPrecision
  readonly batch: number
  readonly heads: number
  /** Of queries and of keys. */
  readonly length: number
  /** Of a head: a multiple of 16, at most 128. */
  readonly width: number
  /** Above 0. */
  readonly scale: number
  /** Query i sees the keys j ≤ i. */
  readonly causal: boolean
  /** With `causal`: of those only the last so many. */
  readonly window: number | undefined
  readonly mask: Mask | undefined
  /** Entries from a token to the next: multiples of 16 bytes. What is not named lies dense. */
  readonly pitches: Readonly<Partial<Record<TokenTensor, number>>>
}

export type TokenTensor = 'q' | 'k' | 'v' | 'o' | 'do' | 'dq' | 'dk' | 'dv'

/** What a kernel reads and writes. All addresses are multiples of 16. */
export type AttentionTensor = TokenTensor | 'logSum' | 'delta'

/** What query `i` of row `b` sees of the keys `j` that `causal` and `window` leave it. */
export interface Mask {
  /** C, in which `b`, `i` and `j` are ints inside the shape, `Index` is int, and the mask's pointers are p0, p1, … */
  readonly lines: readonly string[]
  /** C of a float that is added to the score: 0, or −1e9 where the key is not seen. A row that sees none is even. */
  readonly value: string
  /** Of the mask's pointers, in order: `const int* __restrict__ p0`. */
  readonly declarations: readonly string[]
}

/** How the work is cut: the queries and keys that a block has at once, and its warps. */
export interface Tiling {
  readonly queries: number
  readonly keys: number
  readonly warps: number
}

export interface AttentionKernel {
  /** CUDA C++ of one kernel, whose name is `NAME`. */
  readonly text: string
  /** What it takes after the mask's pointers. */
  readonly tensors: readonly AttentionTensor[]
  readonly grid: Grid
}

/** How a kernel whose blocks have `rows` of one kind and loop over tiles of `columns` of the other is laid out. */
export interface Layout {
  readonly rows: number
  readonly columns: number
  readonly warps: number
  readonly threads: number
  /** Of 16 rows, for each warp. */
  readonly groups: number
  /** Pieces of 16 bytes that a row takes in shared memory. */
  readonly chunks: number
  readonly rowBytes: number
  /** Of two pieces of each row, in which a product on tensor cores goes along the width. */
  readonly steps: number
}

export function layoutOf(shape: AttentionShape, rows: number, columns: number, warps: number): Layout {
  const groups = rows / (16 * warps)
  if (!Number.isInteger(groups) || columns % 16 !== 0)
    throw new Error(`Internal error: ${warps} warps cannot share tiles of ${rows} by ${columns}`)
  const pieces = shape.width / entriesPerPiece(shape)
  const chunks = 2 ** Math.ceil(Math.log2(pieces))
  return { rows, columns, warps, threads: 32 * warps, groups, chunks, rowBytes: 16 * chunks, steps: pieces / 2 }
}

/** Whether a warp keeps its rows of so many operands in registers, where they take at most 32 of a lane's. */
export const isHeld = ({ precision }: AttentionShape, { groups, steps }: Layout, operands: 1 | 2): boolean =>
  precision !== 'fp32' && 4 * operands * groups * steps <= 32

export const entriesPerPiece = ({ precision }: Pick<AttentionShape, 'precision'>): number =>
  precision === 'bf16' ? 8 : 4

/** C of a pointer to tokens that are read, and to those that are written. */
export const readType = (shape: AttentionShape): string => `const ${writtenType(shape)} __restrict__`
export const writtenType = ({ precision }: AttentionShape): string =>
  precision === 'bf16' ? 'unsigned short*' : 'float*'

/** Throws on what no kernel is written for. */
export function checkShape(shape: AttentionShape): void {
  const { length, width, scale, causal, window, pitches } = shape
  const fits = width % 16 === 0 && width >= 16 && width <= 128 && length >= 1 && scale > 0
  const apart = Object.values(pitches).every(
    (pitch) => pitch % entriesPerPiece(shape) === 0 && pitch >= shape.heads * width,
  )
  if (!fits || !apart || (window !== undefined && (!causal || window < 1)))
    throw new Error(`Internal error: no attention is written for ${JSON.stringify({ ...shape, mask: undefined })}`)
}

export const pitchOf = ({ heads, width, pitches }: AttentionShape, tensor: TokenTensor): number =>
  pitches[tensor] ?? heads * width

export const LOG2_E = Math.LOG2E

/** A float32 literal. */
export function float(value: number): string {
  const text = String(Math.fround(value))
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`
}
