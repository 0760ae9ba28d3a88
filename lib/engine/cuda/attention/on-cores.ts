/**
 * Products of tiles on tensor cores: of bf16, 16 × 16 and 16 × 8 at once, of tf32, 16 × 8 and 8 × 8. Both are two pieces of
 * a row wide, and a lane holds 4 bytes of each piece: a float, or two entries of bf16.
 */
export const productsOnCores = (precision: 'bf16' | 'tf32'): string =>
  [precision === 'bf16' ? halves : floats, rowsOnCores, precision === 'bf16' ? columnsOfHalves : columnsOfFloats].join(
    '',
  )

const halves = `
__device__ __forceinline__ void multiplyAdd(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  multiplyAddBf16(c, a, b0, b1);
}
__device__ __forceinline__ void loadOperands(unsigned (&to)[4], Shared row) { loadMatrices(to, row); }
`
const floats = `
__device__ __forceinline__ void multiplyAdd(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  multiplyAddTf32(c, a, b0, b1);
}
__device__ __forceinline__ void loadOperands(unsigned (&to)[4], Shared row) {
  loadMatrices(to, row);
#pragma unroll
  for (int n = 0; n < 4; ++n) to[n] = roundToTf32(bitsToFloat(to[n]));
}
// of a head's columns, the first of two that a lane has in tile n
__device__ __forceinline__ int columnOf(int n) { return 8 * n + threadIdx.x % 4 * 2; }
`

const rowsOnCores = `
template <int M, int CHUNKS>
__device__ __forceinline__ void loadOperand(unsigned (&to)[M][4], Shared a, int row, int k) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int m = 0; m < M; ++m) loadOperands(to[m], a + placeOf<CHUNKS>(row + 16 * m + lane % 16, 2 * k + lane / 16));
}

template <int M, int N, int CHUNKS>
__device__ __forceinline__ void multiplyStep(float (&sums)[M][N / 8][4], const unsigned (&a)[M][4], Shared b, int k) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int n = 0; n < N / 16; ++n) {
    unsigned both[4];
    loadOperands(both, b + placeOf<CHUNKS>(16 * n + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
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
  for (int k = 0; k < WIDTH / EACH / 2; ++k) {
    unsigned step[M][4];
    loadOperand<M, CHUNKS>(step, a, row, k);
    multiplyStep<M, N, CHUNKS>(sums, step, b, k);
  }
}
// the same, of rows that were loaded once
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyRows(float (&sums)[M][N / 8][4], const unsigned (&a)[WIDTH / EACH / 2][M][4], Shared b) {
#pragma unroll
  for (int k = 0; k < WIDTH / EACH / 2; ++k) multiplyStep<M, N, CHUNKS>(sums, a[k], b, k);
}

// += A · B, of A's N columns as a product left them and N rows of B
template <int M, int N, int WIDTH, int CHUNKS>
__device__ __forceinline__ void multiplyColumns(float (&sums)[M][WIDTH / 8][4], const float (&a)[M][N / 8][4], Shared b) {
  const int lane = threadIdx.x % 32;
#pragma unroll
`

const columnsOfHalves = `  for (int k = 0; k < N / 16; ++k) {
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
}`

/** A lane's two columns of A stand for columns lane % 4 and lane % 4 + 4 of the operand, and so do rows of B. */
const columnsOfFloats = `  for (int k = 0; k < N / 8; ++k) {
    unsigned step[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int r = 0; r < 4; ++r) step[m][r] = roundToTf32(a[m][k][r % 2 * 2 + r / 2]);
#pragma unroll
    for (int n = 0; n < WIDTH / 8; ++n) {
      unsigned both[2];
#pragma unroll
      for (int c = 0; c < 2; ++c)
        both[c] = roundToTf32(loadFloat(b + placeOf<CHUNKS>(8 * k + lane % 4 * 2 + c, 2 * n + lane / 16) + lane / 4 % 4 * 4));
#pragma unroll
      for (int m = 0; m < M; ++m) multiplyAdd(sums[m][n], step[m], both[0], both[1]);
    }
  }
}`
