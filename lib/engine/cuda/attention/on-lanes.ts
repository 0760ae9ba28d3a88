/**
 * Products of tiles in float32 by the lanes themselves. Each goes along the rows of both by pieces of four entries, for the
 * first product; for the second, over the rows of B, of which it has four columns of each 16. Sums are made in one order.
 */
export const productsOnLanes = `
// of a head's columns, the first of two that a lane has in tile n: two tiles have four of its columns, which lie in a piece
__device__ __forceinline__ int columnOf(int n) { return 16 * (n / 2) + threadIdx.x % 4 * 4 + n % 2 * 2; }

// A · Bᵀ, of the warp's rows of A, which begin at \`row\`, and N rows of B
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyRows(float (&sums)[M][N / 8][4], Shared a, int row, Shared b) {
  const int lane = threadIdx.x % 32;
#pragma unroll 2
  for (int k = 0; k < WIDTH / 4; ++k) {
    float4 left[M][2];
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int r = 0; r < 2; ++r) left[m][r] = loadPiece(a + placeOf<CHUNKS>(row + 16 * m + 8 * r + lane / 4, k));
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const float4 right = loadPiece(b + placeOf<CHUNKS>(8 * n + lane % 4 * 2 + c, k));
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            float& sum = sums[m][n][2 * r + c];
            sum += left[m][r].x * right.x;
            sum += left[m][r].y * right.y;
            sum += left[m][r].z * right.z;
            sum += left[m][r].w * right.w;
          }
      }
  }
}

// += A · B, of A's N columns as a product left them and N rows of B: those of a lane's own first, then of its neighbours'
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyColumns(float (&sums)[M][WIDTH / 8][4], const float (&a)[M][N / 8][4], Shared b) {
  const int lane = threadIdx.x % 4;
#pragma unroll 1
  for (int other = 0; other < 4; ++other)
#pragma unroll
    for (int k = 0; k < N / 8; ++k)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float left[M][2];
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
          for (int r = 0; r < 2; ++r) left[m][r] = __shfl_xor_sync(0xffffffffu, a[m][k][2 * r + c], other);
#pragma unroll
        for (int n = 0; n < WIDTH / 8; n += 2) {
          const float4 right = loadPiece(b + placeOf<CHUNKS>(8 * k + (lane ^ other) * 2 + c, 2 * n + lane));
#pragma unroll
          for (int m = 0; m < M; ++m)
#pragma unroll
            for (int r = 0; r < 2; ++r) {
              sums[m][n][2 * r] += left[m][r] * right.x;
              sums[m][n][2 * r + 1] += left[m][r] * right.y;
              sums[m][n + 1][2 * r] += left[m][r] * right.z;
              sums[m][n + 1][2 * r + 1] += left[m][r] * right.w;
            }
        }
      }
}`
