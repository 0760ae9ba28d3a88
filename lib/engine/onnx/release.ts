import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'

/**
 * Gives the memory of arrays back at once; they are empty then. The collector would come late: it sees small objects, not
 * the half a gigabyte of gradients that each step brings out.
 */
export async function release(arrays: readonly (Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>)[]): Promise<void> {
  const port = await (nowhere ??= closedPort())
  port.postMessage(
    null,
    arrays.map(({ buffer }) => buffer),
  )
}

let nowhere: Promise<MessagePort> | undefined

/** What is sent to it is lost. While it is being closed, that would still wait for a reader. */
async function closedPort(): Promise<MessagePort> {
  const { port1: port, port2: end } = new MessageChannel()
  port.ref() // a process with nothing else to wait for would end
  const closed = once(port, 'close')
  end.close()
  await closed
  return port
}
