import { setTimeout as delay } from 'node:timers/promises'
import type { Failure } from '../util/failure.ts'
import type { Execution, StageEnd, StageTask } from './execute.ts'
import { cancelled } from './stage-failures.ts'
import { markTry } from './try-logs.ts'

/** The longest wait between two tries, however often the first was doubled. */
const LONGEST_SECONDS = 3600

/**
 * Runs a stage again after failures that another try may mend, as often as it asks for. Each wait is twice the one
 * before. A try goes on from the checkpoint of the last. Each has a log of its own: see try-logs.ts.
 */
export async function withRetries(run: Execution, task: StageTask, make: () => Promise<StageEnd>): Promise<StageEnd> {
  const { id, retries } = task.stage
  for (let tried = 1; ; tried++) {
    const end = await make()
    if (end.outcome !== 'failed' || tried > retries.times || !isMendable(run, end.failure)) return end
    const seconds = Math.min(retries.backoffSeconds * 2 ** (tried - 1), LONGEST_SECONDS)
    const message = `"${id}" failed: ${end.failure.message} Try ${tried + 1} of ${retries.times + 1} begins in ${seconds} s.`
    run.emit({ type: 'notice', stage: id, code: 'RETRY', message })
    const stopped = AbortSignal.any([run.signal, run.kill])
    await delay(seconds * 1000, undefined, { signal: stopped }).catch(() => undefined)
    if (stopped.aborted) return { ...end, failure: cancelled(task.stage) }
    if (run.mayRetry?.() === false) return end
    markTry(end.log, tried)
  }
}

/** Not what the user has to mend, nor an input that is another one now, nor what was stopped. */
const isMendable = (run: Execution, { code, exitCode }: Failure): boolean =>
  exitCode !== 2 &&
  code !== 'INPUT_CHANGED' &&
  code !== 'SLURM_CANCELLED' &&
  !run.signal.aborted &&
  !run.kill.aborted &&
  (run.mayRetry?.() ?? true)
