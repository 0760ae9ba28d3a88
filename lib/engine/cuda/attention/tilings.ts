import type { AttentionShape, Tiling } from './shape.ts'

/** How each kernel's work may be cut so that a lane's registers and 99 KiB of shared memory hold it; the first is taken. */
export interface Tilings {
  readonly forward: readonly Tiling[]
  readonly queryGradient: readonly Tiling[]
  readonly keyGradients: readonly Tiling[]
}

export const tilingsFor = ({ precision, width }: AttentionShape): Tilings =>
  all[precision][width <= 64 ? 'narrow' : 'wide']

const tiling = (queries: number, keys: number, warps: number): Tiling => ({ queries, keys, warps })

// the fastest of each first, as an H200 has it for 1,024 tokens
const bf16 = {
  narrow: {
    forward: [tiling(128, 64, 4), tiling(128, 64, 8), tiling(64, 64, 4), tiling(128, 32, 4)],
    queryGradient: [tiling(64, 32, 4), tiling(128, 32, 4), tiling(64, 64, 4), tiling(128, 64, 8)],
    keyGradients: [tiling(32, 128, 4), tiling(64, 64, 4), tiling(32, 64, 4), tiling(64, 128, 8)],
  },
  wide: {
    forward: [tiling(128, 32, 4), tiling(64, 64, 4), tiling(128, 64, 4), tiling(128, 64, 8)],
    queryGradient: [tiling(64, 64, 4), tiling(64, 32, 4), tiling(128, 32, 8)],
    keyGradients: [tiling(64, 64, 4), tiling(32, 64, 4), tiling(32, 128, 8)],
  },
}

// of the first for keys, where heads are narrow, 4 bytes of a lane's are not held, and 40 with tf32
const fp32 = {
  narrow: {
    forward: [tiling(128, 64, 4), tiling(128, 32, 4), tiling(64, 32, 2)],
    queryGradient: [tiling(128, 32, 4), tiling(64, 32, 2)],
    keyGradients: [tiling(32, 128, 4), tiling(32, 64, 4), tiling(64, 64, 4)],
  },
  wide: {
    forward: [tiling(128, 16, 4), tiling(64, 16, 2)],
    queryGradient: [tiling(64, 16, 2), tiling(64, 16, 4)],
    keyGradients: [tiling(16, 64, 4), tiling(16, 32, 2)],
  },
}

const tf32 = {
  narrow: {
    forward: [tiling(128, 64, 4), tiling(128, 32, 4)],
    queryGradient: [tiling(128, 32, 4), tiling(64, 32, 2)],
    keyGradients: [tiling(32, 128, 4), tiling(16, 64, 4)],
  },
  wide: {
    forward: [tiling(128, 16, 4), tiling(64, 32, 4)],
    queryGradient: [tiling(64, 16, 4), tiling(32, 32, 2)],
    keyGradients: [tiling(16, 64, 4), tiling(16, 32, 2)],
  },
}

const all = { bf16, fp32, tf32 } satisfies Record<AttentionShape['precision'], Record<'narrow' | 'wide', Tilings>>
