// Stands in for cuBLASLt on a host without a card: column-major products, as its documentation defines them, on the
// stand-in of the driver. Descriptions and layouts are read at the call, as cuBLASLt does.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>

extern "C" int stand_in_queue(void *stream, const std::function<void()> &call);

enum Status { OK = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { F32 = 0, BF16 = 14 };

struct Description {
  int compute, transposeA = 0, transposeB = 0;
  uint32_t epilogue = 1;
  const void *bias = nullptr;
};
struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t leading;
  int32_t batch = 1;
  int64_t stride = 0;
};
struct Preference {
  uint64_t workspace = 0;
  uint32_t reductions = 7, alignment[4] = {256, 256, 256, 256};
};
/** cublasLtMatmulHeuristicResult_t */
struct Result {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Result) == 96);

static float read(const void *from, int type, int64_t at) {
  if (type == F32) return static_cast<const float *>(from)[at];
  uint32_t bits = uint32_t(static_cast<const uint16_t *>(from)[at]) << 16;
  float value;
  return memcpy(&value, &bits, 4), value;
}
static void write(void *to, int type, int64_t at, float value) {
  if (type == F32) {
    static_cast<float *>(to)[at] = value;
    return;
  }
  uint32_t bits;
  memcpy(&bits, &value, 4);
  static_cast<uint16_t *>(to)[at] = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

template <class T> static int take(T &into, const void *value, size_t bytes) {
  if (bytes != sizeof(T)) return INVALID_VALUE;
  return memcpy(&into, value, bytes), OK;
}

/** op(A)·op(B) must be what C is, batch by batch. */
static bool agree(const Description &d, const Layout &a, const Layout &b, const Layout &c) {
  uint64_t m = d.transposeA ? a.columns : a.rows, k = d.transposeA ? a.rows : a.columns;
  uint64_t inner = d.transposeB ? b.columns : b.rows, n = d.transposeB ? b.rows : b.columns;
  return m == c.rows && n == c.columns && k == inner && a.batch == c.batch && b.batch == c.batch &&
         a.leading >= int64_t(a.rows) && b.leading >= int64_t(b.rows) && c.leading >= int64_t(c.rows) &&
         a.type == b.type && (d.epilogue == 1 || d.epilogue == 4 || d.epilogue == 36);
}

static void multiply(const Description &d, float alpha, const void *A, const Layout &a, const void *B, const Layout &b,
                     float beta, void *C, const Layout &c) {
  uint64_t depth = d.transposeA ? a.rows : a.columns;
  for (int item = 0; item < c.batch; item++)
    for (uint64_t column = 0; column < c.columns; column++)
      for (uint64_t row = 0; row < c.rows; row++) {
        double sum = 0;
        for (uint64_t step = 0; step < depth; step++) {
          int64_t left = d.transposeA ? row * a.leading + step : step * a.leading + row;
          int64_t right = d.transposeB ? step * b.leading + column : column * b.leading + step;
          sum += double(read(A, a.type, item * a.stride + left)) * read(B, b.type, item * b.stride + right);
        }
        int64_t place = item * c.stride + column * c.leading + row;
        double value = alpha * sum + (beta == 0 ? 0 : beta * read(C, c.type, place));
        if (d.epilogue & 4) value += read(d.bias, c.type, row);
        if (d.epilogue & 32) value *= 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (value + 0.044715 * value * value * value)));
        write(C, c.type, place, value);
      }
}

extern "C" {

int cublasLtCreate(void **handle) { return *handle = new int(1), OK; }
int cublasLtDestroy(void *handle) { return delete static_cast<int *>(handle), OK; }
const char *cublasLtGetStatusName(int status) {
  return status == NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_INVALID_VALUE";
}

int cublasLtMatmulDescCreate(Description **d, int compute, int scale) {
  *d = new Description{compute};
  return scale == F32 && (compute == 68 || compute == 77) ? OK : INVALID_VALUE;
}
int cublasLtMatmulDescSetAttribute(Description *d, int attribute, const void *value, size_t bytes) {
  switch (attribute) {
    case 3: return take(d->transposeA, value, bytes);
    case 4: return take(d->transposeB, value, bytes);
    case 7: return take(d->epilogue, value, bytes);
    case 8: return take(d->bias, value, bytes);
    default: return INVALID_VALUE;
  }
}
int cublasLtMatmulDescDestroy(Description *d) { return delete d, OK; }

int cublasLtMatrixLayoutCreate(Layout **layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  *layout = new Layout{type, rows, columns, leading};
  return type == F32 || type == BF16 ? OK : INVALID_VALUE;
}
int cublasLtMatrixLayoutSetAttribute(Layout *layout, int attribute, const void *value, size_t bytes) {
  switch (attribute) {
    case 5: return take(layout->batch, value, bytes);
    case 6: return take(layout->stride, value, bytes);
    default: return INVALID_VALUE;
  }
}
int cublasLtMatrixLayoutDestroy(Layout *layout) { return delete layout, OK; }

int cublasLtMatmulPreferenceCreate(Preference **preference) { return *preference = new Preference, OK; }
int cublasLtMatmulPreferenceSetAttribute(Preference *preference, int attribute, const void *value, size_t bytes) {
  switch (attribute) {
    case 1: return take(preference->workspace, value, bytes);
    case 3: return take(preference->reductions, value, bytes);
    case 5: case 6: case 7: case 8: return take(preference->alignment[attribute - 5], value, bytes);
    default: return INVALID_VALUE;
  }
}
int cublasLtMatmulPreferenceDestroy(Preference *preference) { return delete preference, OK; }

/** Knows none where there are more than a million rows: for a test of what is said then. */
int cublasLtMatmulAlgoGetHeuristic(void *, Description *d, Layout *a, Layout *b, Layout *c, Layout *,
                                   Preference *preference, int, Result *result, int *found) {
  if (!agree(*d, *a, *b, *c)) return INVALID_VALUE;
  if (preference->reductions & ~2u) return NOT_SUPPORTED; // parts of a sum would be rounded to the output's type
  if (c->rows > 1000000) return NOT_SUPPORTED;
  *result = Result{{0x414c474f}, 0, OK, 1, {}};
  return *found = 1, OK;
}

int cublasLtMatmul(void *, Description *d, const float *alpha, const void *A, Layout *a, const void *B, Layout *b,
                   const float *beta, const void *, Layout *, void *D, Layout *c, const uint64_t *algorithm,
                   void *workspace, size_t, void *stream) {
  if (!agree(*d, *a, *b, *c) || algorithm[0] != 0x414c474f || !workspace) return INVALID_VALUE;
  // all but the matrices and the bias are read now
  return stand_in_queue(stream, [d = *d, alpha = *alpha, A, a = *a, B, b = *b, beta = *beta, D, c = *c] {
    multiply(d, alpha, A, a, B, b, beta, D, c);
  });
}
}
