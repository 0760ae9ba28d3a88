import { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'
import { WATCH_FD } from './host-protocol.ts'
import { endOwnGroup } from './process-group.ts'

/**
 * A thread of its own, because an engine may hold the main thread for minutes: the other end of this pipe is open as
 * long as the driver lives, whatever kills it. Then the whole process group goes, before it can publish anything.
 */
const pipe = new Socket({ fd: WATCH_FD, readable: true, writable: false })
pipe.on('close', endGroup)
pipe.on('error', endGroup)
pipe.resume()

function endGroup(): void {
  // the main thread may see its program die of this and exit, and this thread with it: then it has to go on
  Atomics.store(workerData as Int32Array, 0, 1)
  endOwnGroup()
}
