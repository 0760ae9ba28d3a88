import { workerData } from 'node:worker_threads'
import { whenDriverIsGone } from './driver-pipe.ts'
import { endOwnGroup } from './process-group.ts'

/**
 * A thread of its own, because an engine may hold the main thread for minutes: where the driver is gone, the whole
 * process group goes, before it can publish anything.
 */
whenDriverIsGone(() => {
  // the main thread may see its program die of this and exit, and this thread with it: then it has to go on
  Atomics.store(workerData as Int32Array, 0, 1)
  endOwnGroup()
})
