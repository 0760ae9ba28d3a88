import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from '../e2e/command.ts'

/** What happens to one request on its way. */
export type Fault =
  /** The server's answer ends after so many bytes, with the connection. */
  | { readonly kind: 'cut answer'; readonly after: number }
  /** The connection ends while the request's content is sent. */
  | { readonly kind: 'cut request' }
  | { readonly kind: 'wrong bytes' }
  | { readonly kind: 'slow' }
  /** Nothing ever comes back. */
  | { readonly kind: 'held' }
  | { readonly kind: 'status'; readonly status: number; readonly code: string }

export interface FaultProxy {
  readonly address: string
  /** Asked for each request; without a fault it goes through. */
  fault: (asked: Asked) => Fault | undefined
  readonly asked: Asked[]
}

export interface Asked {
  readonly method: string
  readonly url: string
}

/** A proxy between a client and a server of HTTP, which does to some requests what networks do. */
export async function startProxy(context: Context, target: string): Promise<FaultProxy> {
  const server = createServer((asked, answer) => {
    const { method = '', url = '' } = asked
    proxy.asked.push({ method, url })
    const fault = proxy.fault({ method, url })
    answer.on('error', () => undefined)
    asked.on('error', () => undefined)
    if (fault?.kind === 'status') refuse(answer, asked, fault)
    else if (fault?.kind === 'cut request')
      for (const event of ['data', 'end']) asked.once(event, () => asked.socket.destroy())
    else if (fault?.kind !== 'held') forward(target, asked, answer, fault)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const proxy: FaultProxy = { address, fault: () => undefined, asked: [] }
  return proxy
}

function refuse(answer: ServerResponse, asked: IncomingMessage, fault: Extract<Fault, { kind: 'status' }>): void {
  asked.resume().on('end', () => {
    const body = `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>as the test wants it</Message></Error>`
    answer.writeHead(fault.status, { 'content-type': 'application/xml' }).end(asked.method === 'HEAD' ? '' : body)
  })
}

function forward(target: string, asked: IncomingMessage, answer: ServerResponse, fault: Fault | undefined): void {
  const { method, url = '', headers } = asked
  let isAnswered = false
  const on = request(new URL(url, target), { method, headers }, (got) => {
    isAnswered = true
    const parts: Buffer[] = []
    got.on('data', (part: Buffer) => parts.push(part))
    got.on('end', () => {
      answer.writeHead(got.statusCode!, got.headers)
      void send(answer, Buffer.concat(parts), fault)
    })
  })
  // Swift sends a text behind "404" to HEAD
  on.on('error', () => isAnswered || answer.destroy())
  asked.pipe(on)
}

async function send(answer: ServerResponse, body: Buffer, fault: Fault | undefined): Promise<void> {
  if (fault?.kind === 'cut answer') {
    answer.write(body.subarray(0, fault.after), () => answer.destroy())
    return
  }
  if (fault?.kind === 'wrong bytes' && body.length > 0) body[body.length >> 1]! ^= 1
  const pieces = fault?.kind === 'slow' ? 20 : 1
  const size = Math.max(1, Math.ceil(body.length / pieces))
  for (let at = 0; at < body.length; at += size) {
    answer.write(body.subarray(at, at + size))
    if (pieces > 1) await delay(50)
  }
  answer.end()
}
