import { join } from 'node:path'
import { revisionsOf } from '../cli/revisions.ts'
import { loadPipeline } from '../pipeline/config.ts'
import type { Event } from '../pipeline/event.ts'
import type { ExperimentRecord } from '../pipeline/experiment.ts'
import { planRun } from '../pipeline/plan.ts'
import type { Plan } from '../pipeline/plan.ts'
import type { LoadedPipeline } from '../pipeline/config.ts'
import { runPipeline } from '../pipeline/run.ts'
import type { RunSummary } from '../pipeline/run-options.ts'
import type { Document } from '../pipeline/schema.ts'
import type { Failure } from '../util/failure.ts'
import type { Result } from '../util/result.ts'

/** What messages call the place of a pipeline that is no file. */
const NAME = 'definePipeline()'

export interface PlanSettings {
  /** Stages by name or id (`evaluate[student]`), with all that they read; all where not given. */
  readonly stages?: readonly string[]
  /** `distill.temperature=4`, laid over `params`. */
  readonly set?: readonly string[]
  /** Stages to run although their results are there; true for all. */
  readonly force?: readonly string[] | boolean
}

export interface RunSettings extends PlanSettings {
  /** `auto`, the default, or the name of an engine. */
  readonly engine?: string
  /** Stages at once; the number of cores where not given. */
  readonly jobs?: number
  /** After a failure, go on with what does not depend on it. */
  readonly keepGoing?: boolean
  /** Stages write a checkpoint and stop. */
  readonly signal?: AbortSignal
  readonly onEvent?: (event: Event) => void
}

export interface DefinedPipeline {
  /** What a run would do to each stage, and why. Touches nothing but `node_modules/.cache/pipeline`. */
  plan(settings?: PlanSettings): Promise<Result<Plan, Failure[]>>
  /**
   * Makes what is not there. The error is what is wrong before anything ran; failures of stages stand in the summary.
   */
  run(settings?: RunSettings): Promise<Result<RunSummary, Failure[]>>
}

/**
 * A pipeline in code: what pipeline.yaml would say, with the same checks, keys, store and records. `folder` is what paths
 * are relative to and where `artifacts` lies; the working folder where not given.
 */
export function definePipeline(document: Document, folder = process.cwd()): DefinedPipeline {
  const load = (set: readonly string[] = []): Promise<Result<LoadedPipeline, Failure[]>> => {
    const file = join(folder, NAME)
    return loadPipeline({ file, overlays: [], sets: set, texts: new Map([[file, JSON.stringify(document, null, 2)]]) })
  }
  return {
    async plan({ stages, set, force } = {}) {
      const loaded = await load(set)
      return loaded.ok ? planRun(loaded.value, { targets: stages, force, resolveRevisions: revisionsOf('no') }) : loaded
    },
    async run({ stages, set, force, engine = 'auto', jobs, keepGoing, signal, onEvent = () => undefined } = {}) {
      const loaded = await load(set)
      if (!loaded.ok) return loaded
      const never = new AbortController().signal
      const stop = { signal: signal ?? never, kill: never }
      const resolveRevisions = revisionsOf('yes', signal)
      const what = { targets: stages, force, engine, jobs, keepGoing, resolveRevisions, joinReport, onEvent }
      return runPipeline(loaded.value, { ...what, ...stop })
    },
  }
}

const joinReport = async (page: string, record: ExperimentRecord): Promise<string> =>
  (await import('../report/join.ts')).joinReport(page, record)
