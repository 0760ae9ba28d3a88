import { Failure } from '../../util/failure.ts'
import { bind, find, handleFrom } from './native.ts'
import type { Ffi } from '../ffi.ts'
import type { Calls, Library } from './native.ts'

/** As cuda.h has them, under the names that the library exports. */
const prototypes = {
  cuInit: 'unsigned int flags',
  cuDriverGetVersion: 'void *version',
  cuDeviceGet: 'void *device, int ordinal',
  cuDeviceGetName: 'void *name, int length, int device',
  cuDeviceGetAttribute: 'void *value, int attribute, int device',
  cuDevicePrimaryCtxRetain: 'void *context, int device',
  cuDevicePrimaryCtxRelease_v2: 'int device',
  cuCtxSetCurrent: 'void *context',
  cuMemGetInfo_v2: 'void *free, void *total',
  cuMemAlloc_v2: 'void *address, size_t bytes',
  cuMemFree_v2: 'uint64_t address',
  cuMemHostAlloc: 'void *pointer, size_t bytes, unsigned int flags',
  cuMemFreeHost: 'void *pointer',
  cuMemcpyHtoDAsync_v2: 'uint64_t to, void *from, size_t bytes, void *stream',
  cuMemcpyDtoHAsync_v2: 'void *to, uint64_t from, size_t bytes, void *stream',
  cuMemcpyDtoDAsync_v2: 'uint64_t to, uint64_t from, size_t bytes, void *stream',
  cuMemsetD8Async: 'uint64_t address, unsigned char value, size_t bytes, void *stream',
  cuMemsetD2D8Async: 'uint64_t address, size_t pitch, unsigned char value, size_t width, size_t height, void *stream',
  cuStreamCreate: 'void *stream, unsigned int flags',
  cuStreamDestroy_v2: 'void *stream',
  cuStreamSynchronize: 'void *stream',
  cuStreamWaitEvent: 'void *stream, void *event, unsigned int flags',
  cuEventCreate: 'void *event, unsigned int flags',
  cuEventDestroy_v2: 'void *event',
  cuEventRecord: 'void *event, void *stream',
  cuEventSynchronize: 'void *event',
  cuModuleLoadData: 'void *module, void *image',
  cuModuleUnload: 'void *module',
  cuModuleGetFunction: 'void *function, void *module, const char *name',
  cuFuncSetAttribute: 'void *function, int attribute, int value',
  cuLaunchKernel:
    'void *function, unsigned int blocksX, unsigned int blocksY, unsigned int blocksZ, unsigned int threadsX, ' +
    'unsigned int threadsY, unsigned int threadsZ, unsigned int sharedBytes, void *stream, void *parameters, void *extra',
  cuStreamBeginCapture_v2: 'void *stream, int mode',
  cuStreamEndCapture: 'void *stream, void *graph',
  cuGraphInstantiateWithFlags: 'void *exec, void *graph, uint64_t flags',
  cuGraphLaunch: 'void *exec, void *stream',
  cuGraphExecDestroy: 'void *exec',
  cuGraphDestroy: 'void *graph',
}

export type Driver = Calls<keyof typeof prototypes> & {
  /** Whether something that was queued is not done yet. */
  readonly isBusy: (stream: bigint) => boolean
}

/** Values of cuda.h's enums. */
export const STREAM_NON_BLOCKING = 1
export const CAPTURE_RELAXED = 2
export const EVENT_DISABLE_TIMING = 2
export const ATTRIBUTE = { capabilityMajor: 75, capabilityMinor: 76 } as const
/** Bytes of `Grid.shared` that a kernel may be launched with; without it, 48 KiB. */
export const MOST_SHARED = 8
const OUT_OF_MEMORY = 2
const NOT_READY = 600

/** Each call throws Failure `DEVICE_MEMORY` or `DEVICE_FAILED`, which name the call and CUDA's own error. */
export function bindDriver(ffi: Ffi, library: Library): Driver {
  const nameOf = find(library, 'int', 'cuGetErrorName(int status, void *text)')
  const textOf = find(library, 'int', 'cuGetErrorString(int status, void *text)')
  const query = find(library, 'int', 'cuStreamQuery(void *stream)')
  const fail = (call: string, status: number): never => {
    // both leave a null for a number that they do not know
    const read = (of: typeof nameOf): string | undefined => {
      const text = handleFrom((place) => of(status, place))
      return text === 0n ? undefined : ffi.decode.string(text)
    }
    const found = `${read(nameOf) ?? `CUDA error ${status}`} (${read(textOf) ?? 'not known to this driver'})`
    const code = status === OUT_OF_MEMORY ? 'DEVICE_MEMORY' : 'DEVICE_FAILED'
    const advice = 'nvidia-smi shows whether the card is there, "Xid" in the output of dmesg what befell it'
    throw new Failure(code, `${call} failed with ${found}: ${advice}`, { exitCode: 1 })
  }
  const isBusy = (stream: bigint): boolean => {
    const status = query(stream)
    if (status !== 0 && status !== NOT_READY) fail('cuStreamQuery', status)
    return status !== 0
  }
  return { ...bind(library, prototypes, fail), isBusy }
}
