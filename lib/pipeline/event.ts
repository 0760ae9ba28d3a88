import type { Code } from '../util/codes/index.ts'
import type { JsonObject } from '../util/json.ts'
import type { Failure } from '../util/failure.ts'
import type { Progress } from './stage.ts'

export type Outcome = 'ran' | 'restored' | 'fresh' | 'failed' | 'skipped'

export interface StageResult {
  readonly name: string
  /** 64 hex digits; null where the stage was never reached, so that its key is not known. */
  readonly key: string | null
  readonly outcome: Outcome
  readonly seconds: number
}

/** How a stage of an experiment came out when it was run again from its record. */
export interface ReproducedStage {
  readonly name: string
  /**
   * `within`: other bytes, but every number within the declared tolerance of the one recorded; `different`: other bytes;
   * `failed` and `skipped`: there is nothing to compare.
   */
  readonly result: 'identical' | 'within' | 'different' | 'failed' | 'skipped'
  readonly seconds: number
}

/** How a stage came out when it was run a second time from the same inputs. */
export interface RepeatedStage {
  readonly name: string
  readonly result: 'identical' | 'different' | 'failed' | 'skipped'
  readonly seconds: number
  /** The files that are not the same, and the first place in each; '' where the file itself is not there twice. */
  readonly files: readonly {
    readonly path: string
    readonly place: string
    readonly first: string
    readonly second: string
  }[]
  /** Where the second result is, if it is not the same. */
  readonly kept: string | null
  /** What it ran on first, and now. */
  readonly devices: readonly [first: string | null, second: string | null]
}

/** All that happens in a run; the core only emits, one printer words it. */
export type Event =
  | { readonly type: 'started'; readonly experiment: string; readonly stages: readonly string[] }
  | {
      readonly type: 'stage-started'
      readonly stage: string
      readonly key: string
      readonly reason: string
      readonly log: string
    }
  | ({
      readonly type: 'stage-progress'
      readonly stage: string
      /** Bytes that the stage's process has in memory. */
      readonly memory?: number
    } & Progress)
  /** What the stage runs on, as soon as it knows. */
  | { readonly type: 'stage-device'; readonly stage: string; readonly device: string }
  | { readonly type: 'stage-log'; readonly stage: string; readonly line: string }
  | ({ readonly type: 'stage-finished'; readonly device?: string } & StageResult)
  /** Something worth saying that is no failure: an object healed, a user's file moved aside, a lock waited for. */
  | { readonly type: 'notice'; readonly stage: string | null; readonly code: Code; readonly message: string }
  | { readonly type: 'failure'; readonly stage: string | null; readonly failure: Failure; readonly log: string | null }
  /** The recorded experiment was logged to another program; `where` is a page's address or a folder. */
  | { readonly type: 'logged'; readonly to: string; readonly where: string }
  | {
      readonly type: 'finished'
      readonly experiment: string | null
      readonly stages: readonly StageResult[]
      readonly metrics: JsonObject
    }
  /** `run --watch` waits for one of so many files and folders to change. */
  | { readonly type: 'watching'; readonly paths: number }
  /** What changed, relative to the project where it lies in it; a run follows, or replaces the one in progress. */
  | { readonly type: 'changed'; readonly paths: readonly string[]; readonly stopped: readonly string[] }
  /** The last event of a reproduction; without an experiment where it was refused before anything ran. */
  | {
      readonly type: 'reproduced'
      readonly experiment: string | null
      readonly stages: readonly ReproducedStage[]
    }
  /** The last event of a stage's second run. */
  | { readonly type: 'repeated'; readonly stages: readonly RepeatedStage[] }
