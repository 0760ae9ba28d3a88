import type { Machine } from './machine.ts'

/** What is known of an engine here, whether or not it opens; null where that cannot be had. */
export interface EngineFacts {
  /** What computes: `CPUExecutionProvider of onnxruntime-node 1.30.0`. */
  readonly backend: string | null
  /** `cpu`, or the graphics card's name. */
  readonly device: string | null
  /** Of the card: its version, and what the card is able to do. */
  readonly driver: string | null
  /** Bytes; where the engine has the machine's, those. */
  readonly memory: { readonly total: number; readonly free: number | null } | null
  /** Beside those that npm brings: where each was found, null where it was not. */
  readonly libraries: readonly { readonly name: string; readonly path: string | null }[]
  /** What would make it work, or faster. */
  readonly advice: readonly string[]
}

/** What it turned out to be when it was tried. */
export interface EngineTried {
  /** It opens and multiplies right, in float32 at least. */
  readonly works: boolean
  /** `absent` says why it does not open. */
  readonly state: 'works' | 'absent' | 'wrong' | 'crashed' | 'silent'
  /** Whether `auto` would take it: it computes on hardware that is worth it. */
  readonly suitsAuto: boolean
  /** What it is, or why it does not work. */
  readonly why: string
  /** GFLOP/s of matrix products by precision, where they come out right. */
  readonly gflops: Readonly<Record<string, number>>
  /** Why it does not compute in the other precisions that it has. */
  readonly fails: Readonly<Record<string, string>>
}

export type EngineFound = { readonly name: string } & Omit<EngineFacts, 'advice'> & EngineTried

/** What `pipeline doctor --json` prints. */
export interface Diagnosis {
  /** Best first. */
  readonly engines: readonly EngineFound[]
  /** What `auto` takes; null where nothing works. */
  readonly auto: string | null
  readonly autoWhy: string
  /** What would make it faster here. */
  readonly advice: readonly string[]
  readonly machine: Machine
}
