import type { DataType, TensorInfo } from '@tensorflow/tfjs-core'

/** What is used of TensorFlow.js's backend: its own type leaves Emscripten's part out. */
export interface WasmBackend {
  readonly wasm: {
    _malloc: (bytes: number) => number
    readonly _free: (address: number) => void
    readonly cwrap: (name: string, returns: null, takes: readonly string[]) => unknown
    readonly tfjs: {
      readonly registerTensor: (id: number, size: number, memoryOffset: number) => void
      readonly disposeData: (id: number) => void
    }
  }
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } }
  makeOutput(shape: readonly number[], dtype: DataType): TensorInfo
  typedArrayFromHeap(tensor: TensorInfo): Float32Array | Int32Array | Uint8Array
  disposeData(dataId: object): boolean
}
