import type { Code } from '../util/codes/index.ts'
import { hostname } from 'node:os'
import type { Execution, StageEnd, StageTask } from './execute.ts'
import { HostGpus, gpuFolder } from './host-gpus.ts'
import { gpuNames } from './gpu-names.ts'

/**
 * Runs a stage while it holds its GPUs against every other run on this host. Those that the run's own pool chose are
 * taken first; where another run has one, any other that it may see is as good. A stage without a GPU holds none.
 */
export async function withGpus(
  run: Execution,
  task: StageTask,
  work: (task: StageTask) => Promise<StageEnd>,
): Promise<StageEnd> {
  const { gpus, others = [] } = task.grant
  if (gpus.length === 0) return work(task)
  const { id } = task.stage
  const tell = (code: Code, message: string): void => run.emit({ type: 'notice', stage: id, code, message })
  const candidates = await gpuNames([...gpus, ...others])
  const host = HostGpus.open(gpuFolder(), (why) =>
    tell(
      'GPU_NOT_SHARED',
      `The GPUs of "${id}" are not kept from other runs on ${hostname()}: ${why} Remove it, or see to it that you may write there.`,
    ),
  )
  const held = await host.hold(candidates, gpus.length, {
    note: `stage "${id}" in ${run.prepared.pipeline.root}`,
    signal: run.signal,
    onWait: (holders) => tell('GPU_WAIT', `"${id}" waits for a GPU: ${holders.join('; ')}.`),
  })
  try {
    return await work({ ...task, grant: { ...task.grant, gpus: held.ids, locks: held.locks } })
  } finally {
    for (const lock of held.locks) lock.release()
  }
}
