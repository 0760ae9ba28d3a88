import { Failure } from '../../util/failure.ts'
import { bind, find } from './native.ts'
import type { Calls, Library } from './native.ts'

/** As cublasLt.h has them. */
const prototypes = {
  cublasLtCreate: 'void *handle',
  cublasLtDestroy: 'void *handle',
  cublasLtMatmulDescCreate: 'void *description, int compute, int scale',
  cublasLtMatmulDescSetAttribute: 'void *description, int attribute, void *value, size_t bytes',
  cublasLtMatmulDescDestroy: 'void *description',
  cublasLtMatrixLayoutCreate: 'void *layout, int type, uint64_t rows, uint64_t columns, int64_t leading',
  cublasLtMatrixLayoutSetAttribute: 'void *layout, int attribute, void *value, size_t bytes',
  cublasLtMatrixLayoutDestroy: 'void *layout',
  cublasLtMatmulPreferenceCreate: 'void *preference',
  cublasLtMatmulPreferenceSetAttribute: 'void *preference, int attribute, void *value, size_t bytes',
  cublasLtMatmulPreferenceDestroy: 'void *preference',
  cublasLtMatmulAlgoGetHeuristic:
    'void *handle, void *description, void *a, void *b, void *c, void *d, void *preference, int asked, void *results, ' +
    'void *given',
  cublasLtMatmul:
    'void *handle, void *description, void *alpha, uint64_t a, void *layoutA, uint64_t b, void *layoutB, void *beta, ' +
    'uint64_t c, void *layoutC, uint64_t d, void *layoutD, void *algorithm, uint64_t workspace, size_t bytes, ' +
    'void *stream',
}

export type Blas = Calls<keyof typeof prototypes>

/** Values of the enums of cublasLt.h, cublas_api.h and library_types.h. */
export const COMPUTE = { f32: 68, tf32: 77 } as const
export const TYPE = { f32: 0, bf16: 14 } as const
export const EPILOGUE = { none: 1, bias: 4, 'bias-gelu': 32 | 4 } as const
export const DESCRIPTION = { transposeA: 3, transposeB: 4, epilogue: 7, biasPointer: 8 } as const
export const LAYOUT = { batchCount: 5, batchStride: 6 } as const
export const PREFERENCE = { workspaceBytes: 1, reductionSchemes: 3, alignments: [5, 6, 7, 8] } as const
export const REDUCTION_COMPUTE_TYPE = 2

/** Bytes of cublasLtMatmulHeuristicResult_t, and of the algorithm that it begins with. */
export const RESULT_BYTES = 96
export const ALGORITHM_BYTES = 64

/** Each call throws Failure `DEVICE_FAILED`, which names the call and cuBLASLt's own error. */
export function bindBlas(library: Library): Blas {
  const nameOf = find(library, 'const char *', 'cublasLtGetStatusName(int status)')
  return bind(library, prototypes, (call, status) => {
    const message = `${call} of "${library.path}" failed with ${nameOf(status)}`
    throw new Failure('DEVICE_FAILED', message, { exitCode: 1 })
  })
}
