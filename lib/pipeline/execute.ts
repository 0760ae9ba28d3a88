import type { Failure } from '../util/failure.ts'
import type { Digest } from './canonical.ts'
import type { Event, Outcome } from './event.ts'
import { makeHere, notice } from './executor/local.ts'
import { cancelled } from './stage-failures.ts'
import { keyOf } from './key.ts'
import type { KeyRecord } from './key.ts'
import { link } from './link.ts'
import type { Manifest } from './manifest.ts'
import type { Stage } from './pipeline.ts'
import type { Prepared, Settled } from './prepare.ts'
import type { RemoteSession } from './remote/session.ts'
import type { Grant } from './resources.ts'
import { storeFailure } from './store-failure.ts'

/** What the stages of one run share. */
export interface Execution {
  readonly prepared: Prepared
  readonly engine: string
  readonly graceSeconds: number
  readonly signal: AbortSignal
  readonly kill: AbortSignal
  readonly emit: (event: Event) => void
  readonly settled: ReadonlyMap<string, Settled>
  readonly remote: RemoteSession | undefined
  /** Whether a stage that failed may start again; always, if not said. */
  readonly mayRetry?: () => boolean
  /** The file that a stage's process runs; bundled from this program, if not said. */
  readonly host?: string
}

/** Makes a result, or takes one that is there by now. May throw what `storeFailure` words. */
export type Executor = (run: Execution, task: StageTask, key: Digest) => Promise<StageEnd>

export interface StageTask {
  readonly stage: Stage
  readonly record: KeyRecord
  readonly reason: string
  /** Run although the result is there, and compare. */
  readonly force: boolean
  /** Note what it reaches for, and name what it did not declare. */
  readonly audit: boolean
  readonly grant: Grant
  /** Child processes on this machine, if not said. */
  readonly executor?: Executor | undefined
}

export type StageEnd =
  Made | { readonly outcome: 'failed'; readonly key: Digest; readonly failure: Failure; readonly log: string | null }

export interface Made {
  readonly outcome: Exclude<Outcome, 'failed' | 'skipped'>
  readonly key: Digest
  readonly manifest: Manifest
  readonly second?: Second
}

/** What a stage came out with whose result was there. */
export interface Second {
  readonly device: string | null
  /** Where it is if it is not the same as the first. */
  readonly folder: string | null
}

/** Gives a stage its result: one that is there by now, or one that it makes. Never throws what the world can cause. */
export async function executeStage(run: Execution, task: StageTask): Promise<StageEnd> {
  return guarded(run, task, async (key) => {
    const end = await (task.executor ?? makeHere)(run, task, key)
    if (end.outcome === 'failed') return end
    // the very last, so that a run killed before it finds "restore" and tidies up
    const moved = publishLink(run, task, key)
    return end.outcome === 'ran' || !moved ? end : { ...end, outcome: 'restored' }
  })
}

/** The same without the link. */
export const makeStage = (run: Execution, task: StageTask): Promise<StageEnd> =>
  guarded(run, task, (key) => makeHere(run, task, key))

/** Runs a stage although its result is there, which stays, as does the link; `second` says what came out. Never throws. */
export const repeatStage = (run: Execution, task: StageTask): Promise<StageEnd> =>
  makeStage(run, { ...task, force: true })

async function guarded(run: Execution, task: StageTask, work: (key: Digest) => Promise<StageEnd>): Promise<StageEnd> {
  const key = keyOf(task.record)
  try {
    return await work(key)
  } catch (error) {
    const failure = run.signal.aborted
      ? cancelled(task.stage)
      : storeFailure(error, `stage "${task.stage.id}" was prepared`)
    return { outcome: 'failed', key, failure, log: null }
  }
}

/** Points the user's link at the result; false if it did already. */
export function publishLink(run: Execution, task: Pick<StageTask, 'stage'>, key: Digest): boolean {
  const { artifacts, store } = run.prepared
  const { moved, aside } = link(artifacts, task.stage, store.folder(task.stage.name, key), () => store.assertThere())
  for (const path of aside) {
    notice(
      run,
      task,
      'MOVED_ASIDE',
      `What stood in the place of "${task.stage.id}" in artifacts is not the pipeline's; it was moved to "${path}".`,
    )
  }
  return moved
}
