import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sha256 } from '../pipeline/canonical.ts'
import { errorCode } from '../util/error-code.ts'
import { Failure } from '../util/failure.ts'
import { nothing, send, words } from './answer.ts'
import type { Answer } from './answer.ts'
import { Guard, HEADERS } from './guard.ts'
import { SHELL, pageFiles } from './page-files.ts'
import type { PageFiles } from './page-files.ts'
import { Records } from './records.ts'
import { ROUTES } from './routes.ts'
import type { Served } from './routes.ts'
import { Runs, isRun } from './runs.ts'
import { streamLive, streamRun } from './stream.ts'

export interface UiOptions extends Pick<Served, 'load' | 'resolveRevisions' | 'command'> {
  /** The folder of pipeline.yaml. */
  readonly root: string
  /** 0: one that is free; the folder's own if not said, or one that is free. */
  readonly port: number | undefined
}

export interface Ui {
  /** The page's address, with the token that opens it. */
  readonly url: string
  readonly close: () => Promise<void>
}

/** Serves the page on the loopback alone. Throws Failure PORT_IN_USE, PORT_REFUSED. */
export async function startUi({ root, port, ...rest }: UiOptions): Promise<Ui> {
  const files = await pageFiles()
  const served: Served = { root, records: new Records(root), runs: new Runs(root), ...rest }
  const server = createServer()
  await (port === undefined ? listenAt(server, portOf(root)) : listen(server, port))
  const { port: bound } = server.address() as AddressInfo
  const guard = new Guard(bound)
  server.on('request', (request, response) => void handle(served, guard, files, request, response))
  return {
    url: `http://127.0.0.1:${bound}/?token=${guard.token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The same for the same folder: what a browser keeps, such as the columns that were chosen, it keeps by the address. */
const portOf = (root: string): number => FIRST_PORT + (parseInt(sha256(root).slice(0, 8), 16) % PORTS)

/** Those that nobody has registered: RFC 6335, section 6. */
const [FIRST_PORT, PORTS] = [49_152, 16_384]

const listenAt = (server: Server, port: number): Promise<void> => listen(server, port).catch(() => listen(server, 0))

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenFailure(error, port)))
    server.listen(port, '127.0.0.1', resolve)
  })
}

function listenFailure(error: Error, port: number): Error {
  const code = errorCode(error)
  if (code === 'EADDRINUSE')
    return new Failure('PORT_IN_USE', `Another program listens on port ${port} of 127.0.0.1. Give another --port, or none for one that is free.`) // prettier-ignore
  if (code === 'EACCES')
    return new Failure('PORT_REFUSED', `This user may not listen on port ${port}. Give a --port from 1024, or none for one that is free.`) // prettier-ignore
  return error
}

async function handle(
  served: Served,
  guard: Guard,
  files: PageFiles,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
  const zipped = (request.headers['accept-encoding'] ?? '').includes('gzip')
  try {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const refusal = guard.refuse(request, url)
    if (refusal !== undefined) await send(response, words(`${refusal}\n`, 403), false)
    else if (request.method !== 'GET') await send(response, words('Only GET is answered here.\n', 405), false)
    else if (!stream(served, url, response)) await send(response, await answer(served, guard, files, url), zipped)
  } catch (error) {
    const text = `Internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`
    if (!response.headersSent) await send(response, words(text, 500), false)
    else response.destroy()
  }
}

/** True if it is one of the answers that do not end. */
function stream(served: Served, { pathname, searchParams }: URL, response: ServerResponse): boolean {
  const run = searchParams.get('run') ?? ''
  if (pathname === '/api/live') streamLive(served, response)
  else if (pathname === '/api/run' && isRun(run)) streamRun(served, run, response)
  else return false
  return true
}

async function answer(
  served: Served,
  guard: Guard,
  files: PageFiles,
  { pathname, searchParams }: URL,
): Promise<Answer> {
  if (pathname === '/')
    // the page itself and no redirect: a cookie that is set on the way of one may not be sent with the next request
    return { status: 200, type: 'text/html; charset=utf-8', body: SHELL, headers: { 'set-cookie': guard.cookie } }
  if (pathname === '/page.js') return { status: 200, type: 'text/javascript; charset=utf-8', body: files['page.js'] }
  if (pathname === '/page.css') return { status: 200, type: 'text/css; charset=utf-8', body: files['page.css'] }
  const route = Object.hasOwn(ROUTES, pathname) ? ROUTES[pathname] : undefined
  return route === undefined ? nothing(`There is nothing at "${pathname}".`) : route(served, searchParams)
}
