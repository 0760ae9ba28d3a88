/**
 * What all kernels share. No header is included: NVRTC has none. bfloat16 is made by its bits: the upper half of a
 * float32, rounded to the nearest, ties to even. IEEE's half has a shorter exponent: it is moved up, of a subnormal by what
 * float32 makes of its bits as a number.
 */
export const prelude = `
__device__ __forceinline__ float bitsToFloat(unsigned bits) { return __uint_as_float(bits); }
__device__ __forceinline__ float fromBf16(unsigned short half) { return __uint_as_float((unsigned)half << 16); }
__device__ __forceinline__ unsigned short toBf16(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return (unsigned short)((bits >> 16) | 64u);
  return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
__device__ __forceinline__ float fromF16(unsigned short half) {
  const unsigned sign = (half & 0x8000u) << 16, size = half & 0x7fffu;
  if (size >= 0x7c00u) return __uint_as_float(sign | 0x7f800000u | (size & 0x3ffu) << 13);
  if (size >= 0x400u) return __uint_as_float(sign | ((size << 13) + 0x38000000u));
  return __uint_as_float(sign | __float_as_uint((float)size * 5.9604644775390625e-8f));
}
// NaN is greater, and lesser, than everything
__device__ __forceinline__ float greaterOf(float a, float b) { return a >= b || a != a ? a : b; }
__device__ __forceinline__ int greaterOf(int a, int b) { return a >= b ? a : b; }
__device__ __forceinline__ float lesserOf(float a, float b) { return a <= b || a != a ? a : b; }
__device__ __forceinline__ int lesserOf(int a, int b) { return a <= b ? a : b; }
__device__ __forceinline__ float gelu(float x) {
  return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
}
__device__ __forceinline__ float geluDerivative(float x) {
  const float t = tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x));
  return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * (0.7978845608028654f * (1.0f + 0.134145f * x * x));
}
__device__ __forceinline__ float sumOf(float a, float b) { return a + b; }

// all lanes get the same value, in the same order of operations
#define REDUCTION(OVER_WARP, OVER_BLOCK, COMBINE) \\
  __device__ __forceinline__ float OVER_WARP(float x) { \\
    for (int distance = 16; distance > 0; distance /= 2) x = COMBINE(x, __shfl_xor_sync(0xffffffffu, x, distance)); \\
    return x; \\
  } \\
  template <int WARPS> __device__ __forceinline__ float OVER_BLOCK(float x, float* shared) { \\
    x = OVER_WARP(x); \\
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x; \\
    __syncthreads(); \\
    float all = shared[0]; \\
    for (int warp = 1; warp < WARPS; ++warp) all = COMBINE(all, shared[warp]); \\
    __syncthreads(); \\
    return all; \\
  }
REDUCTION(warpSum, blockSum, sumOf)
REDUCTION(warpMax, blockMax, greaterOf)
`
