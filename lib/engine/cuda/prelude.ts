import type { CudaPrecision } from '../precision.ts'

/**
 * What all kernels share. No header is included: NVRTC has none. bfloat16 is made by its bits: the upper half of a
 * float32, rounded to the nearest, ties to even. IEEE's half has a shorter exponent: it is moved up, of a subnormal by what
 * float32 makes of its bits as a number.
 */
const common = `
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
__device__ __forceinline__ unsigned short toF16(float x) {
  const unsigned bits = __float_as_uint(x), sign = (bits >> 16) & 0x8000u, size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return (unsigned short)(sign | 0x7e00u);
  if (size >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);
  if (size >= 0x38800000u) return (unsigned short)(sign | (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13);
  // a sum with 0.5 has steps of the least half, and rounds as it must
  return (unsigned short)(sign | (__float_as_uint(__uint_as_float(size) + 0.5f) - 0x3f000000u));
}
// NaN is greater, and lesser, than everything
#ifdef __CUDACC__
__device__ __forceinline__ float greaterOf(float a, float b) {
  float c;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
__device__ __forceinline__ float lesserOf(float a, float b) {
  float c;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
#else
inline float greaterOf(float a, float b) { return a >= b || a != a ? a : b; }
inline float lesserOf(float a, float b) { return a <= b || a != a ? a : b; }
#endif
__device__ __forceinline__ int greaterOf(int a, int b) { return a >= b ? a : b; }
__device__ __forceinline__ int lesserOf(int a, int b) { return a <= b ? a : b; }
// (1 + tanh u) / 2 = 1 / (1 + exp(-2u)), with nothing that cancels, and cheaper: twice u is √(8/π) (x + 0.044715 x³)
__device__ __forceinline__ float geluShare(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-1.5957691216057308f * (x + 0.044715f * x * x * x)));
}
__device__ __forceinline__ float gelu(float x) { return x * geluShare(x); }
__device__ __forceinline__ float geluDerivative(float x) {
  const float share = geluShare(x);
  return share + x * share * (1.0f - share) * (1.5957691216057308f * (1.0f + 0.134145f * x * x));
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

/** eˣ as the compiler's library has it; or, where products round far more, to some units in the last place for each e. */
const exponentials = {
  precise: `
__device__ __forceinline__ float exponential(float x) { return expf(x); }
`,
  fast: `
#ifdef __CUDACC__
__device__ __forceinline__ float exponential(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x * 1.4426950408889634f));
  return y;
}
#else
inline float exponential(float x) { return expf(x); }
#endif
`,
} as const

export const preludeFor = (precision: CudaPrecision): string =>
  exponentials[precision === 'bf16' ? 'fast' : 'precise'] + common
