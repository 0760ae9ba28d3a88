import { Socket } from 'node:net'
import { WATCH_FD } from './host-protocol.ts'
import { TASK_VARIABLE, killStrays, signalGroup } from './process-group.ts'

/**
 * A thread of its own, because an engine may hold the main thread for minutes: the other end of this pipe is open as
 * long as the driver lives, whatever kills it. Then the whole process group goes, before it can publish anything.
 */
const pipe = new Socket({ fd: WATCH_FD, readable: true, writable: false })
pipe.on('close', endGroup)
pipe.on('error', endGroup)
pipe.resume()

function endGroup(): void {
  killStrays(process.env[TASK_VARIABLE] ?? '')
  signalGroup(process.pid, 'SIGKILL')
}
