import type { Json, JsonObject } from '../util/json.ts'
import type { Place } from '../util/failure.ts'
import type { Tolerance } from '../util/tolerance.ts'
import type { RemoteAddress } from './remote/address.ts'
import type { PublicKey } from './remote/signature.ts'

/** What config makes of pipeline.yaml, recipes and --set: parameters resolved, matrices expanded, checked, acyclic. */
export interface Pipeline {
  /** The absolute folder of pipeline.yaml: all paths are relative to it, `artifacts/` lies in it. */
  readonly root: string
  /** Files read, pipeline.yaml first, then the recipes, relative to `root`. */
  readonly files: readonly string[]
  readonly params: JsonObject
  /** The JSON output whose content is the experiment's metrics. */
  readonly metrics: OutputRef | undefined
  /** The HTML output that is the experiment's page. */
  readonly page: OutputRef | undefined
  /** Where results are shared with others. */
  readonly remote: RemoteAddress | undefined
  /** Only what one of these keys has signed is taken from the remote; undefined where all is. In no stage's key. */
  readonly trust: readonly PublicKey[] | undefined
  /** Stages and cells, each after all that it reads. */
  readonly stages: readonly Stage[]
  /** The document after all overlays, with `${}` resolved: what the experiment records. */
  readonly resolved: JsonObject
}

export interface OutputRef {
  readonly stage: string
  readonly output: string
}

export interface Stage {
  /** `distill`, or a cell of a matrix: `evaluate[student]`, `train[2,0.5]`. */
  readonly id: string
  /** The stage's name in pipeline.yaml. */
  readonly name: string
  /** Axis to cell value name; empty without a matrix. */
  readonly cell: Readonly<Record<string, string>>
  readonly program: Program
  readonly in: Readonly<Record<string, Input>>
  /** As written, `${}` resolved, the module's defaults not yet filled in. */
  readonly with: JsonObject
  /** Output name to its file or folder name in the result folder. */
  readonly out: Readonly<Record<string, string>>
  readonly resources: Resources
  /** Names of declared environment variables. */
  readonly env: readonly string[]
  readonly timeoutSeconds: number | undefined
  /** Output to how far its numbers may be off when the stage is reproduced; not in the key. Absent in older records. */
  readonly tolerance?: Readonly<Record<string, Tolerance>>
  readonly retries: Retries
  /** Where it runs, `local` if not said. Neither in the key nor in the record. */
  readonly executor?: ExecutorName | undefined
  readonly slurm?: SlurmSettings
  /** Parts in which its work is done; not in the key. */
  readonly shards?: number | undefined
  /** Of what the runner makes of a stage with `shards`: see shards/. */
  readonly piece?: Piece
  readonly place: Place
  /** Where a parameter's value was written: keys are dotted paths below `with` and `in` (`with.temperature`). */
  readonly places: () => Readonly<Record<string, Place>>
}

/** Some of a stage's work, or its end, which makes the result of all the parts. */
export type Piece =
  | { readonly kind: 'shard'; readonly shard: Shard }
  | {
      readonly kind: 'merge'
      /** What the parts ran on and how long. */
      readonly shards: number
      readonly device: string | null
      readonly seconds: number
    }

/** Units from `from` on, before `to`, of as many as there are. */
export type Shard = { readonly from: number; readonly to: number; readonly of: number }

export type ExecutorName = 'local' | 'slurm'

/** What jobs ask of Slurm beside the stage's resources. */
export interface SlurmSettings {
  readonly partition?: string
  readonly account?: string
  readonly qos?: string
  readonly constraint?: string
  readonly timeSeconds?: number | undefined
  /** Handed to sbatch as they are, last. */
  readonly options?: readonly string[]
}

export type Program =
  | { readonly kind: 'module'; readonly file: string }
  | { readonly kind: 'command'; readonly argv: readonly (readonly ArgumentPart[])[] }

/** An argument of `cmd:` is text with values standing in it; it never splits. */
export type ArgumentPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'in' | 'out'; readonly name: string }
  | { readonly kind: 'with'; readonly value: Json }

export type Input =
  | ({ readonly kind: 'stage' } & OutputRef)
  /** An axis that the consumer lacks, gathered: cell name to the cell's output. */
  | { readonly kind: 'gather'; readonly cells: Readonly<Record<string, OutputRef>> }
  /** A file or folder, relative to `root`, or absolute where the user wrote so; hashed by content. */
  | { readonly kind: 'path'; readonly path: string }
  /** A `hub:` or `https:` source as written; it enters as a string, a branch or tag by its commit. */
  | { readonly kind: 'string'; readonly value: string }

export interface Retries {
  /** Tries after the first one. */
  readonly times: number
  /** Before the second try; each wait after it is twice as long. */
  readonly backoffSeconds: number
}

export interface Resources {
  readonly gpu: number
  /** Cores; 0 for "not said": one, or all of them for a stage that asks for a GPU where there is none. */
  readonly cpu: number
  /** Bytes; 0 for none asked. */
  readonly memory: number
}
