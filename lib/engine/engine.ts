import type { Graph } from '../graph/graph.ts'
export type { Precision } from './precision.ts'

/** A host tensor, row-major. `bool` travels as int32 0/1. */
export interface TensorValue {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}

/** A tensor of half precision, as the bits of IEEE 754's binary16: how values may come and go in half the bytes. */
export interface HalfValue {
  readonly shape: readonly number[]
  readonly data: Uint16Array
}

/** What an input may be given, and an output give. */
export type Feed = TensorValue | HalfValue
export type Feeds = Readonly<Record<string, Feed>>

/** Compiles graphs and runs them. Who makes an engine, a memory or a program disposes of it. */
export interface Engine {
  /** `onnx-cpu`, `tfjs-cpu`, … */
  readonly name: string
  /** For people: `onnx-cpu, 2 threads`. */
  readonly device: string
  /** Named tensors kept where the engine likes: weights, moments. Shared by all programs of this engine. */
  memory(): Memory
  compile(graph: Graph): Promise<Program>
  /** The same with each output, of float32, as the nearest halves. Absent where it would save nothing. */
  compileToHalves?(graph: Graph): Promise<Program<HalfValue>>
  /** Bytes that are left of a memory of its own; absent where state is in the host's, or nobody can be asked. */
  room?(): number
  dispose(): Promise<void>
}

export interface Memory {
  /**
   * Takes the value over: nobody else may use `value.data` again, which a program may change in place. Of halves, state
   * is the float32 that each is.
   */
  write(name: string, value: Feed): void
  /** Its value now, good until the next run with this memory, not to be written to. Throws for an unknown name: that is our bug. */
  read(name: string): Promise<TensorValue>
  has(name: string): boolean
  delete(name: string): void
  dispose(): void
}

/** Bytes of a device's memory. */
export interface Needs {
  /** What a program holds for itself from when it is compiled. */
  readonly own: number
  /** What the state takes that it reads and writes, which programs share. */
  readonly state: number
}

export interface Program<Output extends Feed = TensorValue> {
  /**
   * Runs the graph once: `feeds` for its inputs, `memory` for its state, which then holds the graph's updates.
   * Throws when a feed is missing, surplus, or of another shape: that is our bug. Until its promise is settled nobody else
   * uses the memory.
   */
  run(feeds: Feeds, memory?: Memory): Promise<Record<string, Output>>
  /**
   * Begins to bring these feeds to the device while a run is under way; then the same object is to be given to the next
   * run, and nothing in it changed until that. Absent where it would save nothing.
   */
  prefetch?(feeds: Feeds): void
  /** At most; absent where state is in the host's memory. */
  readonly needs?: Needs
  dispose(): Promise<void>
}
