import type { FromSchema } from 'json-schema-to-ts'
import type { UnitRange } from '../util/unit-range.ts'

/** The parameters of a stage: a JSON schema of a closed object, so that a misspelt parameter is always refused. */
export interface ParameterSchema {
  readonly type: 'object'
  readonly additionalProperties: false
  readonly required?: readonly string[]
  readonly properties: Readonly<Record<string, object>>
}
type Parameters<S> = S extends ParameterSchema ? FromSchema<S> : never

/** `name` one path, `name{}` a map from cell to path (an input gathered over a matrix), each with `?` if it may lack. */
type InputName<D extends string> = D extends `${infer N}?` ? InputName<N> : D extends `${infer N}{}` ? N : D
type InputOf<D extends string> = D extends `${string}{}` | `${string}{}?` ? Readonly<Record<string, string>> : string
type Required_<D extends string> = D extends `${string}?` ? never : D
type Optional_<D extends string> = D extends `${string}?` ? D : never
export type Inputs<D extends string> = { readonly [K in Required_<D> as InputName<K>]: InputOf<K> } & {
  readonly [K in Optional_<D> as InputName<K>]?: InputOf<K>
}

export interface Progress {
  readonly done: number
  readonly total: number
  /** What is counted: `steps`, `tokens`, `items`. */
  readonly unit: string
  readonly loss?: number
}

/** The device that the runner hands to a stage: never part of the key. */
export interface EngineChoice {
  /** `auto` or an engine's name. */
  readonly name: string
  /** CPU threads that this stage may use. */
  readonly threads: number
}

/** What a stage's `run` is given. It reads these inputs, writes these outputs, and nothing else. */
export interface StageContext<W, I extends string, O extends string> {
  /** The parameters, validated and filled with the schema's defaults. */
  readonly with: W
  /** Absolute paths by name (a `hub:` or `https:` source enters as its string). */
  readonly in: Inputs<I>
  /** Absolute paths to write to, a file or a folder each; their parent folder exists. `name?` only where declared. */
  readonly out: Inputs<O>
  readonly log: (message: string) => void
  readonly progress: (progress: Progress) => void
  /** Aborted by Ctrl-C: write a checkpoint and return or throw. */
  readonly signal: AbortSignal
  /**
   * A folder that outlives a killed run of this very key; removed when the stage has succeeded, but for its folder
   * `extend` where the stage declares `extend`.
   */
  readonly checkpoint: string
  readonly engine: EngineChoice
  /** States on which device the stage ran (`onnx-cpu, 2 threads`), for its manifest. */
  readonly ranOn: (device: string) => void
}

/** How a stage's work divides into units that may be done in different processes, at different times. */
export interface Shards<W, I extends string, O extends string> {
  /** What a unit is, for people: `documents`. */
  readonly unit: string
  /** How many there are. Told by the inputs and parameters alone, and cheap: the plan asks too. */
  units(context: Pick<StageContext<W, I, O>, 'with' | 'in'>): number | Promise<number>
  /** Does the work of some units, and writes to the path `part`, a file or a folder, what the merge takes. */
  run(context: Omit<StageContext<W, I, O>, 'out'> & { readonly range: UnitRange; readonly part: string }): Promise<void>
  /**
   * Makes the outputs of the parts, which are of all units, in their order. However they were cut, it must come to the
   * very bytes that the stage's `run` comes to: the result has the same key.
   */
  merge(context: StageContext<W, I, O> & { readonly parts: readonly string[] }): Promise<void>
}

/** A stage as the runner sees it. */
export interface StageModule {
  readonly params: ParameterSchema
  readonly in: readonly string[]
  readonly out: readonly string[]
  readonly extend?: readonly string[]
  readonly shards?: {
    readonly unit: string
    units(context: never): number | Promise<number>
    run(context: never): Promise<void>
    merge(context: never): Promise<void>
  }
  run(context: never): Promise<void>
}

/** Declares a stage: `export default defineStage({ params, in, out, run })`. */
export const defineStage = <
  const S extends ParameterSchema,
  const I extends string,
  const O extends string,
>(definition: {
  readonly params: S
  readonly in: readonly I[]
  readonly out: readonly O[]
  /**
   * Parameters that make the work longer: a run that differs from an earlier one in these alone finds in
   * `checkpoint/extend` what that one left there. It must come to what it would have come to without.
   */
  readonly extend?: readonly (keyof S['properties'] & string)[]
  /** For a stage that `shards: N` of pipeline.yaml may divide. */
  readonly shards?: Shards<Parameters<S>, I, O>
  run(context: StageContext<Parameters<S>, I, O>): Promise<void>
}): StageModule => definition
