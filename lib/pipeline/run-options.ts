import type { Failure } from '../util/failure.ts'
import type { Event } from './event.ts'
import type { ExperimentRecord, JoinReport } from './experiment.ts'
import type { Manifest } from './manifest.ts'
import type { ExecutorName } from './pipeline.ts'
import type { PlanOptions } from './plan.ts'

export interface RunOptions extends PlanOptions {
  /** Stages (ids or names) whose reads are held against what they declare; true for all. Name them in `force` too. */
  readonly audit?: PlanOptions['force']
  /** Stages at once; the number of cores if not said. */
  readonly jobs?: number | undefined
  /** After a failure, go on with what does not depend on it. */
  readonly keepGoing?: boolean | undefined
  /** Where all stages run; where each says, if not said. */
  readonly executor?: ExecutorName | undefined
  /** `auto` or an engine's name, handed to the stages. */
  readonly engine: string
  /** The first Ctrl-C: nothing new starts, stages write a checkpoint and stop. */
  readonly signal: AbortSignal
  /** The second: everything ends at once. */
  readonly kill: AbortSignal
  /** Seconds from the first to the end of a stage that does not stop; 10 if not said. */
  readonly graceSeconds?: number | undefined
  /** Ends one stage as `signal` ends all of them: `--watch` stops those whose definition has changed. */
  readonly signalOf?: ((stage: string) => AbortSignal) | undefined
  readonly onEvent: (event: Event) => void
  /** Joins the experiment's page with what belongs to this run. */
  readonly joinReport?: JoinReport | undefined
  /** Told of an experiment that was recorded anew, before the last event. */
  readonly onRecorded?: ((record: ExperimentRecord) => Promise<void>) | undefined
}

export interface RunSummary {
  readonly finished: Extract<Event, { type: 'finished' }>
  readonly failures: readonly Failure[]
  /** Of the stages that have a result, by id. */
  readonly manifests: ReadonlyMap<string, Manifest>
}
