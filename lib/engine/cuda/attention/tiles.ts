import type { CudaPrecision } from '../../precision.ts'
import { productsOnCores } from './on-cores.ts'
import { productsOnLanes } from './on-lanes.ts'
import { entriesPerPiece } from './shape.ts'
import { tensorCores } from './tensor-cores.ts'

/**
 * What kernels of attention share, after what all kernels share; their texts are the same whatever the precision. Matrix
 * rows lie in shared memory in rows of CHUNKS pieces of 16 bytes, a power of two.
 *
 * A warp has 16 · M rows of a product. Of a tile of 16 × 8, a lane has four entries: two in row lane / 4 and two 8 rows
 * below, at columns 2 · (lane % 4) and the next. Only where columns are a head's, those may be others: `columnOf`.
 */
export const tilesPreludeFor = (precision: CudaPrecision): string =>
  [
    tensorCores,
    'namespace tiles {',
    placing(precision),
    precision === 'fp32' ? productsOnLanes : productsOnCores(precision),
    precision === 'bf16' ? storingHalves : storingFloats,
    '}\n',
  ].join('\n')

/** Whether a kernel needs it. */
export const usesTiles = (text: string): boolean => text.includes('tiles::')

const placing = (precision: CudaPrecision): string => `
typedef ${precision === 'bf16' ? 'unsigned short' : 'float'} Entry;
const int EACH = ${entriesPerPiece({ precision })}; // entries of a piece

// in bytes: pieces of a row change places, so that those in one column of 8 rows lie in different banks
template <int CHUNKS> __device__ __forceinline__ unsigned placeOf(unsigned row, unsigned chunk) {
  const unsigned each = CHUNKS < 8 ? 8 / CHUNKS : 1, kinds = CHUNKS < 8 ? CHUNKS : 8;
  return (row * CHUNKS + (chunk ^ (row / each % kinds))) * 16;
}

// rows of WIDTH entries; those from \`left\` on are zero
template <int ROWS, int WIDTH, int CHUNKS, int THREADS, int PITCH>
__device__ __forceinline__ void copyTile(Shared to, const Entry* from, int left) {
  const int each = WIDTH / EACH, all = ROWS * each;
#pragma unroll
  for (int start = 0; start < all; start += THREADS) {
    const int one = start + threadIdx.x, row = one / each, chunk = one % each;
    if (all % THREADS != 0 && one >= all) break;
    const bool inside = row < left;
    copyAsync16(to + placeOf<CHUNKS>(row, chunk), inside ? from + row * PITCH + chunk * EACH : from, inside);
  }
}

template <int M, int N> __device__ __forceinline__ void clear(float (&sums)[M][N][4]) {
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[m][n][e] = 0.0f;
}`

const storingHalves = `
// the warp's rows, by way of shared memory that is only its own, so that whole pieces are written
template <int M, int WIDTH, int CHUNKS, int PITCH>
__device__ __forceinline__ void storeRows(Entry* to, unsigned char* own, const float (&sums)[M][WIDTH / 8][4], float scale, int left) {
  const int lane = threadIdx.x % 32, each = WIDTH / 8;
  __syncwarp(); // all lanes have read what was there
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < WIDTH / 8; ++n)
#pragma unroll
      for (int r = 0; r < 2; ++r)
        *(unsigned*)(own + placeOf<CHUNKS>(16 * m + 8 * r + lane / 4, n) + lane % 4 * 4) =
            packBf16(sums[m][n][2 * r] * scale, sums[m][n][2 * r + 1] * scale);
  __syncwarp();
#pragma unroll
  for (int one = lane; one < 16 * M * each; one += 32) {
    const int row = one / each, chunk = one % each;
    if (row < left) *(uint4*)(to + (long long)row * PITCH + chunk * 8) = *(const uint4*)(own + placeOf<CHUNKS>(row, chunk));
  }
}`

const storingFloats = `
// the warp's rows, of which four lanes write 32 bytes of each at once
template <int M, int WIDTH, int CHUNKS, int PITCH>
__device__ __forceinline__ void storeRows(Entry* to, unsigned char*, const float (&sums)[M][WIDTH / 8][4], float scale, int left) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = 16 * m + 8 * r + lane / 4;
      if (row >= left) continue;
#pragma unroll
      for (int n = 0; n < WIDTH / 8; ++n) {
        const float2 both = {sums[m][n][2 * r] * scale, sums[m][n][2 * r + 1] * scale};
        *(float2*)(to + (long long)row * PITCH + columnOf(n)) = both;
      }
    }
}`
