import { acquire } from '../util/lock.ts'
import type { Lock } from '../util/lock.ts'
import type { Digest } from './canonical.ts'
import type { Execution, StageEnd, StageTask } from './execute.ts'

/**
 * Makes a result while the lock of its key is held. Where the lock is lost, because this machine stood still for longer
 * than others wait, the making is ended and the lock asked for again: the other's result is shared then. That happens
 * once; after it both go on, as two machines that each take the other for dead would never come to an end.
 */
export async function holdKey(
  run: Execution,
  { stage }: Pick<StageTask, 'stage'>,
  key: Digest,
  onWait: () => void,
  make: (lock: Lock, run: Execution) => Promise<StageEnd>,
): Promise<StageEnd> {
  const { store } = run.prepared
  for (let mayLose = true; ; mayLose = false) {
    store.assertThere()
    const lock = await acquire(store.stageFolder(stage.name), key, run.signal, onWait)
    const held = mayLose ? { ...run, kill: AbortSignal.any([run.kill, lock.lost]) } : run
    const isLost = (): boolean => mayLose && !lock.isHeld() && !run.signal.aborted && !run.kill.aborted
    try {
      const end = await make(lock, held)
      if (end.outcome !== 'failed' || !isLost()) return refused(run, end)
    } catch (error) {
      if (!isLost()) {
        store.assertThere() // says more than that something is not found
        throw error
      }
    } finally {
      lock.release()
    }
    const message = `"${stage.id}" lost its lock to a run on another machine, which took this one for dead. It waits for that one's result.`
    run.emit({ type: 'notice', stage: stage.id, code: 'LOCK_LOST', message })
  }
}

/** A stage whose store went away fails of that, whatever its program says of it. */
function refused(run: Execution, end: StageEnd): StageEnd {
  if (end.outcome === 'failed') run.prepared.store.assertThere()
  return end
}
