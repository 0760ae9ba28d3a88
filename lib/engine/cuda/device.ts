/** Where a tensor lies on a device, in bytes. Addresses have 48 bits: a number holds them. */
export type Address = number

/** What an element is on the device. */
export type Element = 'f32' | 'bf16' | 'f16' | 'i32' | 'u8'

/** A kernel as the device knows it. */
export interface Kernel {
  readonly name: string
}

/** Blocks, and threads in each of them; all shapes stand in the kernel's source. */
export interface Grid {
  readonly blocks: readonly [number, number, number]
  readonly threads: number
  /** Bytes that each block has beside what the source says, its `DYNAMIC_SHARED`; none if unset. */
  readonly shared?: number
}

/** C = scale · A·B in row-major order: A (batch, m, k), B (batch, k, n), C (batch, m, n). */
export interface MatmulShape {
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  /** A is held as (k, m), B as (n, k). */
  readonly transposeA: boolean
  readonly transposeB: boolean
  readonly scale: number
  /** The same matrix for the whole batch. */
  readonly sharedA: boolean
  readonly sharedB: boolean
  /** Entries from each row of what is held to the next; undefined where rows lie one behind another. */
  readonly pitchA?: number | undefined
  readonly pitchB?: number | undefined
  readonly pitchC?: number | undefined
  /** Of A and B; sums are in f32. With f32, `tf32` says whether the tensor cores may round to 10 bits. */
  readonly input: 'f32' | 'bf16'
  readonly output: 'f32' | 'bf16'
  readonly tf32: boolean
  /** What is done to C before it is written: a bias (n) of the output's type, and GELU (tanh form) after it. */
  readonly epilogue: 'none' | 'bias' | 'bias-gelu'
  /** C is added to what is there. */
  readonly accumulate: boolean
}

/** A product as the device has prepared it: its algorithm is chosen, its workspace is there. */
export interface Matmul {
  readonly shape: MatmulShape
}

/** Calls as they were recorded, to be made again at once. */
export interface Replay {
  run(): void
  dispose(): void
}

/** A part of an inlet's memory, and where it goes. */
export interface Placed {
  readonly offset: number
  readonly to: Address
  readonly bytes: number
}

/** Memory through which data comes to the device while that computes. */
export interface Inlet {
  /** Copies the arrays to these offsets, and begins to upload them once what was queued to take the last is done. */
  fill(data: readonly NodeJS.ArrayBufferView[], offsets: readonly number[]): void
  /** Queues copies from what it was filled with: what is queued after finds it there. */
  empty(places: readonly Placed[]): void
  /** Waits for what is under way. */
  dispose(): void
}

/**
 * A card, or the host in its stead: what the same kernels run on. Calls are queued in order; only `download` and
 * `synchronize` wait, and `settled` without holding the thread. Who allocates frees.
 */
export interface Device {
  /** For people: `NVIDIA H200, 139.8 GiB`. */
  readonly name: string
  /** Throws Failure DEVICE_MEMORY with what was asked for, what is free and what to lower. */
  allocate(bytes: number): Address
  free(address: Address): void
  /** Bytes that are left. */
  room(): number
  /** Copies: the array may be changed at once. */
  upload(to: Address, data: NodeJS.ArrayBufferView): void
  download(from: Address, into: NodeJS.ArrayBufferView): void
  inlet(bytes: number): Inlet
  copy(to: Address, from: Address, bytes: number): void
  clear(address: Address, bytes: number): void
  /** The first bytes of each row, of which one begins `pitch` bytes after the other. */
  clearColumns(address: Address, rows: number, bytes: number, pitch: number): void
  /** CUDA C++ whose kernels are `extern "C" __global__ void name(pointers…)`; in the order of `names`. */
  compile(source: string, names: readonly string[]): readonly Kernel[]
  launch(kernel: Kernel, grid: Grid, pointers: readonly Address[]): void
  prepare(shape: MatmulShape): Matmul
  /** All addresses are multiples of 16. */
  multiply(matmul: Matmul, a: Address, b: Address, c: Address, bias?: Address): void
  /** What `body` queues, which must not upload, download or allocate: it is recorded and not run. */
  record(body: () => void): Replay
  synchronize(): void
  /** Until all that was queued is done; throws what went wrong in it. */
  settled(): Promise<void>
  dispose(): void
}
