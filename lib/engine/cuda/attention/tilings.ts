import type { AttentionShape, Tiling } from './shape.ts'

/** How each kernel's work may be cut so that a lane's registers and 99 KiB of shared memory hold it; the first is taken. */
export interface Tilings {
  readonly forward: readonly Tiling[]
  readonly queryGradient: readonly Tiling[]
  readonly keyGradients: readonly Tiling[]
}

export const tilingsFor = ({ width }: AttentionShape): Tilings => (width <= 64 ? narrow : wide)

const tiling = (queries: number, keys: number, warps: number): Tiling => ({ queries, keys, warps })

// the fastest of each first, as an H200 has it for 1,024 tokens
const narrow: Tilings = {
  forward: [tiling(128, 64, 4), tiling(128, 64, 8), tiling(64, 64, 4), tiling(128, 32, 4)],
  queryGradient: [tiling(64, 32, 4), tiling(128, 32, 4), tiling(64, 64, 4), tiling(128, 64, 8)],
  keyGradients: [tiling(32, 128, 4), tiling(64, 64, 4), tiling(32, 64, 4), tiling(64, 128, 8)],
}

const wide: Tilings = {
  forward: [tiling(128, 32, 4), tiling(64, 64, 4), tiling(128, 64, 4), tiling(128, 64, 8)],
  queryGradient: [tiling(64, 64, 4), tiling(64, 32, 4), tiling(128, 32, 8)],
  keyGradients: [tiling(64, 64, 4), tiling(32, 64, 4), tiling(32, 128, 8)],
}
