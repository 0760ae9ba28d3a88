import type { Address, Device } from './device.ts'
import { preludeFor } from './prelude.ts'

const threads = 256
/** Of each block; with them a grid has room for any tensor. */
const entriesOfBlock = 16 * threads

/** Kernels take pointers alone, so the size stands in the text: a model has few of them, and each is compiled once. */
const source = (size: number): string => `${preludeFor('fp32')}
extern "C" __global__ void __launch_bounds__(${threads}) widen(const unsigned short* __restrict__ from, float* to) {
  const long long first = (long long)blockIdx.x * ${entriesOfBlock} + threadIdx.x;
  for (int n = 0; n < ${entriesOfBlock / threads}; ++n)
    if (first + n * ${threads} < ${size}) to[first + n * ${threads}] = fromF16(from[first + n * ${threads}]);
}
`

/** Queues that halves are written as the float32 that each is. */
export function launchWiden(device: Device, from: Address, to: Address, size: number): void {
  const [kernel] = device.compile(source(size), ['widen'])
  device.launch(kernel!, { blocks: [Math.ceil(size / entriesOfBlock), 1, 1], threads }, [from, to])
}
