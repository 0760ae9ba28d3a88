import { acquire } from '../util/lock.ts'
import type { Digest } from './canonical.ts'
import { publishLink } from './execute.ts'
import type { Execution, StageEnd, StageTask } from './execute.ts'
import { share, waitNotice } from './executor/local.ts'
import { keyOf } from './key.ts'
import type { Manifest } from './manifest.ts'
import type { RemoteSession } from './remote/session.ts'
import { storeFailure } from './store-failure.ts'

/**
 * Gives a stage the result that the store has by now, or else the remote; undefined where neither has it. It runs
 * nothing, so that it holds no resources. Never throws what the world can cause.
 */
export async function restoreStage(
  run: Execution,
  remote: RemoteSession,
  task: Omit<StageTask, 'grant'>,
): Promise<StageEnd | undefined> {
  const key = keyOf(task.record)
  if (task.force || Object.keys(task.stage.out).length === 0) return undefined
  try {
    return await locked(run, remote, task, key)
  } catch (error) {
    if (run.signal.aborted) return undefined // whether a stage still starts is not decided here
    const failure = storeFailure(error, `the result of "${task.stage.id}" was restored`)
    return { outcome: 'failed', key, failure, log: null }
  }
}

async function locked(
  run: Execution,
  remote: RemoteSession,
  task: Omit<StageTask, 'grant'>,
  key: Digest,
): Promise<StageEnd | undefined> {
  const { stage } = task
  const { store } = run.prepared
  store.assertThere()
  const lock = await acquire(store.stageFolder(stage.name), key, run.signal, waitNotice(run, task, key))
  try {
    const shared = await share(run, task, key)
    const manifest = shared?.manifest ?? (await remote.restore(stage.id, store, { stage: stage.name, key }))
    if (manifest === undefined) return undefined
    const moved = publishLink(run, task, key)
    return { outcome: moved || shared === undefined ? 'restored' : 'fresh', key, manifest }
  } finally {
    lock.release()
  }
}

/** Pushes what a stage has just made, behind the run's back. */
export function pushBehind(run: Execution, { stage }: Pick<StageTask, 'stage'>, manifest: Manifest): void {
  if (Object.keys(stage.out).length === 0) return
  run.remote?.push(stage.id, run.prepared.store, { stage: stage.name, key: manifest.key }, manifest)
}

/**
 * Undefined where a stage may run here now. Else a machine that shares the remote makes the same result: what is given
 * waits for it.
 */
export async function takeTurn(
  run: Execution,
  task: Omit<StageTask, 'grant'>,
  isOver: () => boolean,
): Promise<(() => Promise<void>) | undefined> {
  const { stage, force } = task
  if (force || Object.keys(stage.out).length === 0) return undefined
  return run.remote?.takeTurn(stage.id, { stage: stage.name, key: keyOf(task.record) }, run.signal, isOver)
}
