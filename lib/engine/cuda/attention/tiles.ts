import { tensorCores } from './tensor-cores.ts'

/**
 * Products of tiles that lie in shared memory, for a warp that has 16 · M rows of the result. Matrix rows lie in rows of
 * CHUNKS pieces of 16 bytes, a power of two.
 */
const products = `
namespace tiles {
// in bytes: pieces of a row change places, so that those in one column of 8 rows lie in different banks
template <int CHUNKS> __device__ __forceinline__ unsigned placeOf(unsigned row, unsigned chunk) {
  const unsigned each = CHUNKS < 8 ? 8 / CHUNKS : 1, kinds = CHUNKS < 8 ? CHUNKS : 8;
  return (row * CHUNKS + (chunk ^ (row / each % kinds))) * 16;
}

// rows of WIDTH entries; those from \`left\` on are zero
template <int ROWS, int WIDTH, int CHUNKS, int THREADS, int PITCH>
__device__ __forceinline__ void copyTile(Shared to, const unsigned short* from, int left) {
  const int each = WIDTH / 8, all = ROWS * each;
#pragma unroll
  for (int start = 0; start < all; start += THREADS) {
    const int one = start + threadIdx.x, row = one / each, chunk = one % each;
    if (all % THREADS != 0 && one >= all) break;
    const bool inside = row < left;
    copyAsync16(to + placeOf<CHUNKS>(row, chunk), inside ? from + row * PITCH + chunk * 8 : from, inside);
  }
}

template <int M, int CHUNKS>
__device__ __forceinline__ void loadOperand(unsigned (&to)[M][4], Shared a, int row, int k) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int m = 0; m < M; ++m) loadMatrices(to[m], a + placeOf<CHUNKS>(row + 16 * m + lane % 16, 2 * k + lane / 16));
}

template <int M, int N, int CHUNKS>
__device__ __forceinline__ void multiplyStep(float (&sums)[M][N / 8][4], const unsigned (&a)[M][4], Shared b, int k) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int n = 0; n < N / 16; ++n) {
    unsigned both[4];
    loadMatrices(both, b + placeOf<CHUNKS>(16 * n + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
#pragma unroll
    for (int m = 0; m < M; ++m) {
      multiplyAdd(sums[m][2 * n], a[m], both[0], both[1]);
      multiplyAdd(sums[m][2 * n + 1], a[m], both[2], both[3]);
    }
  }
}

// A · Bᵀ, of the warp's rows of A, which begin at \`row\`, and N rows of B
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyRows(float (&sums)[M][N / 8][4], Shared a, int row, Shared b) {
#pragma unroll
  for (int k = 0; k < WIDTH / 16; ++k) {
    unsigned step[M][4];
    loadOperand<M, CHUNKS>(step, a, row, k);
    multiplyStep<M, N, CHUNKS>(sums, step, b, k);
  }
}
// the same, of rows that were loaded once
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyRows(float (&sums)[M][N / 8][4], const unsigned (&a)[WIDTH / 16][M][4], Shared b) {
#pragma unroll
  for (int k = 0; k < WIDTH / 16; ++k) multiplyStep<M, N, CHUNKS>(sums, a[k], b, k);
}

// += A · B, of A's N columns as a product left them and N rows of B
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyColumns(float (&sums)[M][WIDTH / 8][4], const float (&a)[M][N / 8][4], Shared b) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < N / 16; ++k) {
    unsigned step[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int r = 0; r < 4; ++r) step[m][r] = packBf16(a[m][2 * k + r / 2][r % 2 * 2], a[m][2 * k + r / 2][r % 2 * 2 + 1]);
#pragma unroll
    for (int n = 0; n < WIDTH / 16; ++n) {
      unsigned both[4];
      loadTransposed(both, b + placeOf<CHUNKS>(16 * k + lane % 16, 2 * n + lane / 16));
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiplyAdd(sums[m][2 * n], step[m], both[0], both[1]);
        multiplyAdd(sums[m][2 * n + 1], step[m], both[2], both[3]);
      }
    }
  }
}

template <int M, int N> __device__ __forceinline__ void clear(float (&sums)[M][N][4]) {
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[m][n][e] = 0.0f;
}

// the warp's rows, by way of shared memory that is only its own, so that whole pieces are written
template <int M, int WIDTH, int CHUNKS, int PITCH>
__device__ __forceinline__ void storeRows(unsigned short* to, unsigned char* own, const float (&sums)[M][WIDTH / 8][4], float scale, int left) {
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
}
}
`

/** What kernels on tensor cores share; they come after what all kernels share. */
export const tilesPrelude = tensorCores + products

/** Whether a kernel needs it. */
export const usesTiles = (text: string): boolean => text.includes('tiles::')
