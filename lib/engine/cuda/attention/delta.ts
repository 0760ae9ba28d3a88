import { checkShape, pitchOf } from './shape.ts'
import type { AttentionKernel, AttentionShape } from './shape.ts'

const threads = 256

/** delta = Σ o·do of each query and head: what the softmax's derivative takes off each entry of its row. */
export function writeDelta(shape: AttentionShape): AttentionKernel {
  checkShape(shape)
  const { batch, heads, length, width } = shape
  const chunks = width / 8
  const lanes = chunks & -chunks // that share a row, each with pieces of 16 bytes
  const rows = batch * length * heads
  const at = (tensor: 'o' | 'do'): string => `token * ${pitchOf(shape, tensor)} + h * ${width}`
  const text = `extern "C" __global__ void __launch_bounds__(${threads}) NAME(float* p0, const unsigned short* __restrict__ p1, const unsigned short* __restrict__ p2) {
  const long long thread = (long long)blockIdx.x * ${threads} + threadIdx.x, row = thread / ${lanes};
  const int lane = threadIdx.x % ${lanes}, h = row % ${heads};
  const bool inside = row < ${rows};
  const long long token = inside ? row / ${heads} : 0;
  float sum = 0.0f;
#pragma unroll
  for (int chunk = lane; chunk < ${chunks}; chunk += ${lanes}) {
    const uint4 a = *(const uint4*)(p1 + ${at('o')} + chunk * 8), b = *(const uint4*)(p2 + ${at('do')} + chunk * 8);
    const unsigned left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      sum += bitsToFloat(left[n] << 16) * bitsToFloat(right[n] << 16);
      sum += bitsToFloat(left[n] & 0xffff0000u) * bitsToFloat(right[n] & 0xffff0000u);
    }
  }
#pragma unroll
  for (int distance = ${lanes / 2}; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  if (inside && lane == 0) p0[(token / ${length} * ${heads} + h) * ${length} + token % ${length}] = sum;
}`
  const blocks = Math.ceil((rows * lanes) / threads)
  return { text, tensors: ['delta', 'o', 'do'], grid: { blocks: [blocks, 1, 1], threads } }
}
