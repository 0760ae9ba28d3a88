// The instructions of lib/engine/cuda/attention/tensor-cores.ts for a CPU, as the PTX ISA describes them: a warp's lanes
// show each other their registers. Without mercy, too: a place that is being copied to holds NaN until its copy is waited
// for, shared memory is NaN before it is written, and rows of a matrix that share banks end the process.
#include <vector>

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

namespace tiles {

typedef unsigned char* Shared;
#define DYNAMIC_SHARED(NAME) unsigned char* const NAME = dynamicShared

inline Shared sharedAddress(const void* place) { return (Shared)place; }

// What each lane shows. Two of them in turn: who is a step ahead does not write over what others still read.
struct Shown {
  unsigned a[4], b[2];
  const unsigned char* row;
};
Shown shown[2][most];
unsigned steps[most];

inline const Shown* show(const Shown& own) {
  Shown* all = shown[steps[current]++ % 2];
  all[current] = own;
  waitAt(atWarp);
  return all + current / 32 * 32;
}

inline float upper(unsigned both) { return __uint_as_float(both & 0xffff0000u); }
inline float lower(unsigned both) { return __uint_as_float(both << 16); }

// Row i, column k of A is in lane 4 (i % 8) + k % 8 / 2, register i / 8 + 2 (k / 8); column j of B, row k, in lane
// 4 j + k % 8 / 2, register k / 8. Even k are in the lower half.
inline void multiplyAddBf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  const int lane = current % 32;
  const Shown* all = show({{a[0], a[1], a[2], a[3]}, {b0, b1}, nullptr});
  for (int r = 0; r < 4; ++r) {
    const int i = lane / 4 + r / 2 * 8, j = lane % 4 * 2 + r % 2;
    for (int k = 0; k < 16; k += 2) {
      const unsigned left = all[i % 8 * 4 + k % 8 / 2].a[i / 8 + k / 8 * 2], right = all[j * 4 + k % 8 / 2].b[k / 8];
      c[r] += lower(left) * lower(right);
      c[r] += upper(left) * upper(right);
    }
  }
}

// The same with k / 4 in the place of k / 8, and entries of 4 bytes.
inline void multiplyAddTf32(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  const int lane = current % 32;
  const Shown* all = show({{a[0], a[1], a[2], a[3]}, {b0, b1}, nullptr});
  if ((a[0] | a[1] | a[2] | a[3] | b0 | b1) & 0x1fffu) {
    fprintf(stderr, "an operand is not rounded to tf32\n");
    abort();
  }
  for (int r = 0; r < 4; ++r) {
    const int i = lane / 4 + r / 2 * 8, j = lane % 4 * 2 + r % 2;
    for (int k = 0; k < 8; ++k)
      c[r] += __uint_as_float(all[i % 8 * 4 + k % 4].a[i / 8 + k / 4 * 2]) * __uint_as_float(all[j * 4 + k % 4].b[k / 4]);
  }
}

inline const Shown* showRow(Shared row) {
  const Shown* all = show({{}, {}, row});
  unsigned banks = 0;
  for (int r = 0; r < 8; ++r) banks |= 1u << ((uintptr_t)all[current % 32 / 8 * 8 + r].row / 16 % 8);
  if (banks != 255u || (uintptr_t)row % 16 != 0) {
    fprintf(stderr, "the rows of a matrix lie in the same banks\n");
    abort();
  }
  return all;
}
inline unsigned entry(const unsigned char* row, int column) { return ((const unsigned short*)row)[column]; }

inline void loadMatrices(unsigned (&to)[4], Shared place) {
  const int lane = current % 32;
  const Shown* all = showRow(place);
  for (int m = 0; m < 4; ++m) {
    const unsigned char* row = all[8 * m + lane / 4].row;
    to[m] = entry(row, lane % 4 * 2) | entry(row, lane % 4 * 2 + 1) << 16;
  }
}
inline void loadTransposed(unsigned (&to)[4], Shared place) {
  const int lane = current % 32;
  const Shown* all = showRow(place);
  for (int m = 0; m < 4; ++m)
    to[m] = entry(all[8 * m + lane % 4 * 2].row, lane / 4) | entry(all[8 * m + lane % 4 * 2 + 1].row, lane / 4) << 16;
}

inline void mustBeShared(Shared place, int bytes) {
  if ((uintptr_t)place % bytes == 0 && place >= dynamicShared && place + bytes <= dynamicShared + dynamicBytes) return;
  fprintf(stderr, "a place is not aligned, or beyond the shared memory\n");
  abort();
}
inline float loadFloat(Shared place) {
  mustBeShared(place, 4);
  return *(const float*)place;
}
inline float4 loadPiece(Shared place) {
  mustBeShared(place, 16);
  return *(const float4*)place;
}

struct Copy {
  Shared to;
  const void* from;
  int bytes;
  bool inside;
};
std::vector<Copy> copies[most];

inline void copyAsync(Shared to, const void* from, int bytes, bool inside) {
  mustBeShared(to, bytes);
  if ((uintptr_t)from % bytes != 0) {
    fprintf(stderr, "a copy is not aligned\n");
    abort();
  }
  memset(to, 0xff, bytes);
  copies[current].push_back({to, from, bytes, inside});
}
inline void copyAsync16(Shared to, const void* from, bool inside) { copyAsync(to, from, 16, inside); }
inline void copyAsync4(Shared to, const void* from, bool inside) { copyAsync(to, from, 4, inside); }
inline void waitForCopies() {
  for (const Copy& one : copies[current])
    if (one.inside) memcpy(one.to, one.from, one.bytes);
    else memset(one.to, 0, one.bytes);
  copies[current].clear();
}

inline unsigned short rounded(float x) {
  const unsigned bits = __float_as_uint(x);
  return x != x ? 0x7fffu : (unsigned short)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline unsigned packBf16(float low, float high) { return rounded(low) | (unsigned)rounded(high) << 16; }
// NaN with lower bits that are zero
inline unsigned roundToTf32(float x) { return x != x ? 0x7fffe000u : (__float_as_uint(x) + 0x1000u) & ~0x1fffu; }
inline float powerOf2(float x) { return exp2f(x); }

}  // namespace tiles
