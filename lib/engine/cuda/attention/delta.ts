import { checkShape, entriesPerPiece, pitchOf, readType } from './shape.ts'
import type { AttentionKernel, AttentionShape } from './shape.ts'

const threads = 256

/** delta = Σ o·do of each query and head: what the softmax's derivative takes off each entry of its row. */
export function writeDelta(shape: AttentionShape): AttentionKernel {
  checkShape(shape)
  const { precision, batch, heads, length, width } = shape
  const each = entriesPerPiece(shape)
  const chunks = width / each
  const lanes = chunks & -chunks // that share a row, each with pieces of 16 bytes
  const rows = batch * length * heads
  const at = (tensor: 'o' | 'do'): string => `token * ${pitchOf(shape, tensor)} + h * ${width}`
  const text = `extern "C" __global__ void __launch_bounds__(${threads}) NAME(float* p0, ${readType(shape)} p1, ${readType(shape)} p2) {
  const long long thread = (long long)blockIdx.x * ${threads} + threadIdx.x, row = thread / ${lanes};
  const int lane = threadIdx.x % ${lanes}, h = row % ${heads};
  const bool inside = row < ${rows};
  const long long token = inside ? row / ${heads} : 0;
  float sum = 0.0f;
#pragma unroll
  for (int chunk = lane; chunk < ${chunks}; chunk += ${lanes}) {
    const auto *a = p1 + ${at('o')} + chunk * ${each}, *b = p2 + ${at('do')} + chunk * ${each};
${precision === 'bf16' ? halves : floats}
  }
#pragma unroll
  for (int distance = ${lanes / 2}; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  if (inside && lane == 0) p0[(token / ${length} * ${heads} + h) * ${length} + token % ${length}] = sum;
}`
  const blocks = Math.ceil((rows * lanes) / threads)
  return { text, tensors: ['delta', 'o', 'do'], grid: { blocks: [blocks, 1, 1], threads } }
}

/** sum += a · b, of a piece each */
const halves = `    const uint4 both = *(const uint4*)a, others = *(const uint4*)b;
    const unsigned left[4] = {both.x, both.y, both.z, both.w}, right[4] = {others.x, others.y, others.z, others.w};
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      sum += bitsToFloat(left[n] << 16) * bitsToFloat(right[n] << 16);
      sum += bitsToFloat(left[n] & 0xffff0000u) * bitsToFloat(right[n] & 0xffff0000u);
    }`
const floats = `    const float4 left = *(const float4*)a, right = *(const float4*)b;
    sum += left.x * right.x;
    sum += left.y * right.y;
    sum += left.z * right.z;
    sum += left.w * right.w;`
