// As much of CUDA C++ as the engine's kernels use, for a CPU: a block's threads are coroutines. Between two barriers they
// run in an order without pattern, so that a kernel that lacks a barrier computes something else.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __shared__ static
#define __restrict__ __restrict
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)

namespace {

struct Place {
  unsigned x;
};
Place threadIdx, blockIdx;

inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, 4);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
// on a card they are less precise
#define __expf(x) expf(x)
#define __fdividef(a, b) ((a) / (b))

enum State { running, atWarp, atBlock, done };
const int most = 1024;
const size_t stackBytes = 64 * 1024;

struct Thread {
  ucontext_t context;
  State state;
  float shared;
};
Thread threads[most];
char* stacks = nullptr;
ucontext_t scheduler;
int current = 0;
void (*body)(void**) = nullptr;
void** arguments = nullptr;
unsigned noise = 1;

// Of the block, and what no block may write lies behind it.
unsigned char* dynamicShared = nullptr;
int64_t dynamicBytes = 0;
const int64_t guardBytes = 4096;

unsigned next() {
  noise ^= noise << 13;
  noise ^= noise >> 17;
  noise ^= noise << 5;
  return noise;
}

void waitAt(State state) {
  threads[current].state = state;
  swapcontext(&threads[current].context, &scheduler);
}

inline void __syncthreads() { waitAt(atBlock); }
inline void __syncwarp() { waitAt(atWarp); }

inline float __shfl_xor_sync(unsigned, float x, int distance) {
  const int self = current;
  threads[self].shared = x;
  waitAt(atWarp);
  const float other = threads[self ^ distance].shared;
  waitAt(atWarp);
  return other;
}

void enter() {
  body(arguments);
  threads[current].state = done;
  swapcontext(&threads[current].context, &scheduler);
}

// Lets go on those of [from, to) that all wait at the same barrier; returns how many.
int release(int from, int to, State barrier) {
  for (int i = from; i < to; ++i)
    if (threads[i].state != barrier && threads[i].state != done) return 0;
  int count = 0;
  for (int i = from; i < to; ++i)
    if (threads[i].state == barrier) {
      threads[i].state = running;
      ++count;
    }
  return count;
}

void runBlock(int count) {
  static int order[most];
  if (!stacks) stacks = (char*)malloc(most * stackBytes);
  for (int i = 0; i < count; ++i) {
    getcontext(&threads[i].context);
    threads[i].context.uc_stack.ss_sp = stacks + i * stackBytes;
    threads[i].context.uc_stack.ss_size = stackBytes;
    threads[i].context.uc_link = nullptr;
    makecontext(&threads[i].context, enter, 0);
    threads[i].state = running;
    order[i] = i;
  }
  const int warps = (count + 31) / 32;
  unsigned awake = next();
  for (;;) {
    for (int i = count - 1; i > 0; --i) {
      const int j = next() % (i + 1), held = order[i];
      order[i] = order[j];
      order[j] = held;
    }
    // some warps sleep for long: the others may be as far ahead as the barriers of the block let them
    if (next() % 32 == 0) awake = next();
    int left = 0, moved = 0;
    for (int i = 0; i < count; ++i) {
      current = order[i];
      if (threads[current].state != running || !(awake >> (current / 32) & 1u)) continue;
      threadIdx.x = current;
      swapcontext(&scheduler, &threads[current].context);
      ++moved;
    }
    for (int warp = 0; warp < warps; ++warp)
      moved += release(warp * 32, warp * 32 + 32 < count ? warp * 32 + 32 : count, atWarp);
    moved += release(0, count, atBlock);
    for (int i = 0; i < count; ++i) {
      left += threads[i].state != done;
      moved += threads[i].state == running;
    }
    if (left == 0) return;
    if (moved == 0) {
      fprintf(stderr, "the threads of a block wait at different barriers\n");
      abort();
    }
  }
}

void mustBeWithinShared() {
  for (int64_t i = 0; dynamicShared && i < guardBytes; ++i)
    if (dynamicShared[dynamicBytes + i] != 0xff) {
      fprintf(stderr, "a block wrote beyond its shared memory\n");
      abort();
    }
}

void launch(void (*kernel)(void**), void** pointers, int64_t blocks, int count, int shared, bool together) {
  dynamicBytes = shared;
  if (shared > 0) dynamicShared = (unsigned char*)aligned_alloc(128, (shared + guardBytes + 127) / 128 * 128);
  for (int64_t block = 0; block < blocks; ++block) {
    blockIdx.x = (unsigned)block;
    body = kernel;
    arguments = pointers;
    if (shared > 0) memset(dynamicShared, 0xff, shared + guardBytes);
    if (together) {
      runBlock(count);
      mustBeWithinShared();
      continue;
    }
    for (int i = 0; i < count; ++i) {
      threadIdx.x = i;
      kernel(pointers);
    }
  }
  free(dynamicShared);
  dynamicShared = nullptr;
}

}  // namespace
