/** C++ of the calls that are no kernels: memory, filled with NaN at first, and matrix products, summed up in double. */
export const hostLibrary = `
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern "C" void* host_allocate(uint64_t bytes) {
  void* memory = malloc(bytes);
  if (memory) memset(memory, 0xff, bytes);
  return memory;
}
extern "C" void host_free(void* memory) { free(memory); }
extern "C" void host_copy(void* to, const void* from, uint64_t bytes) { memmove(to, from, bytes); }
extern "C" void host_clear(void* memory, uint64_t bytes) { memset(memory, 0, bytes); }

static float fromHalf(unsigned short half) {
  const unsigned bits = (unsigned)half << 16;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
static unsigned short toHalf(float x) {
  unsigned bits;
  memcpy(&bits, &x, 4);
  return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
static float at(const void* matrix, bool half, int64_t place) {
  return half ? fromHalf(((const unsigned short*)matrix)[place]) : ((const float*)matrix)[place];
}

struct Shape {
  int64_t batch, m, n, k, pitchA, pitchB, pitchC;
  int32_t transposeA, transposeB, sharedA, sharedB, halfIn, halfOut, bias, gelu, accumulate;
  double scale;
};

extern "C" void host_multiply(const Shape* s, const void* a, const void* b, void* c, const void* bias) {
  for (int64_t one = 0; one < s->batch; ++one)
    for (int64_t i = 0; i < s->m; ++i)
      for (int64_t j = 0; j < s->n; ++j) {
        const int64_t fromA = s->sharedA ? 0 : one * (s->transposeA ? s->k : s->m) * s->pitchA;
        const int64_t fromB = s->sharedB ? 0 : one * (s->transposeB ? s->n : s->k) * s->pitchB;
        double sum = 0;
        for (int64_t l = 0; l < s->k; ++l)
          sum += (double)at(a, s->halfIn, fromA + (s->transposeA ? l * s->pitchA + i : i * s->pitchA + l)) *
                 at(b, s->halfIn, fromB + (s->transposeB ? j * s->pitchB + l : l * s->pitchB + j));
        const int64_t place = (one * s->m + i) * s->pitchC + j;
        double x = s->scale * sum + (s->accumulate ? at(c, s->halfOut, place) : 0) + (s->bias ? at(bias, s->halfOut, j) : 0);
        if (s->gelu) x = 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
        if (s->halfOut) ((unsigned short*)c)[place] = toHalf((float)x);
        else ((float*)c)[place] = (float)x;
      }
}
`
