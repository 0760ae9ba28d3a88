import { Socket } from 'node:net'
import { WATCH_FD } from './host-protocol.ts'

/** The other end of this pipe is open as long as the driver lives, whatever kills it. */
export function whenDriverIsGone(act: () => void): void {
  const pipe = new Socket({ fd: WATCH_FD, readable: true, writable: false })
  pipe.on('close', act)
  pipe.on('error', act)
  pipe.resume()
}
