import type { FromSchema } from 'json-schema-to-ts'

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

/** A stage as the runner sees it. */
export interface StageModule {
  readonly params: ParameterSchema
  readonly in: readonly string[]
  readonly out: readonly string[]
  readonly extend?: readonly string[]
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
  run(context: StageContext<Parameters<S>, I, O>): Promise<void>
}): StageModule => definition
