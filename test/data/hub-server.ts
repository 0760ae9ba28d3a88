import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a server does to the next request of a kind, in the place of its duty. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The connection ends after so many bytes. */
  | { readonly cutAfter: number }
  | { readonly ignoresRange: true }
  | { readonly flipsByte: true }
  /** Half of the bytes come so many milliseconds after the others. */
  | { readonly pausesMs: number }

export interface Asked {
  readonly host: string
  readonly url: string
  readonly range: string | undefined
  readonly token: string | undefined
}

/** A hub on this machine: the API, `resolve`, and large files behind a redirect to another host. */
export class HubServer {
  readonly asked: Asked[] = []
  /** For requests of the API, and for those of file contents. */
  readonly faults: { api: Fault[]; file: Fault[] } = { api: [], file: [] }
  readonly #server: Server
  readonly #repositories: ReadonlyMap<string, Readonly<Record<string, Buffer>>>
  readonly commit = 'c0ffee'.padEnd(40, '0')

  /** Repositories by `models/OWNER/REPO`: file name to content; those over 1,000 bytes are large. */
  constructor(repositories: Readonly<Record<string, Readonly<Record<string, Buffer>>>>) {
    this.#repositories = new Map(Object.entries(repositories))
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '', headers } = request
    const { host = '', range, authorization: token } = headers
    this.asked.push({ host, url, range, token })
    const api = /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)\/revision\/([^?]+)\?blobs=true$/.exec(url)
    const fault = (api ? this.faults.api : this.faults.file).shift()
    if (fault && 'status' in fault) return void response.writeHead(fault.status, fault.headers).end()
    if (api) {
      this.#tell(api[1]!, decodeURIComponent(api[2]!), response)
      return
    }
    const file = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(url)
    const cdn = /^\/cdn\/(.+?)\/\/(.+)$/.exec(url)
    const [repository, path] = cdn
      ? [cdn[1]!, cdn[2]!]
      : [`${file?.[1] ?? 'models/'}${file?.[2] ?? ''}`, decodeURIComponent(file?.[3] ?? '')]
    const content = this.#repositories.get(repository)?.[path]
    if (!content) return void response.writeHead(404).end()
    if (!cdn && isLarge(content)) {
      if (fault) this.faults.file.unshift(fault)
      const location = `http://localhost:${this.#port}/cdn/${repository}//${path}`
      return void response.writeHead(302, { location }).end()
    }
    send(response, content, range, fault)
  }

  #tell(repository: string, revision: string, response: ServerResponse): void {
    const files = this.#repositories.get(repository)
    if (!files || !['main', this.commit].includes(revision)) return void response.writeHead(404).end()
    const siblings = Object.entries(files).map(([rfilename, content]) => ({
      ...{ rfilename, size: content.length, blobId: blobId(content) },
      ...(isLarge(content) ? { lfs: { sha256: sha256(content), size: content.length, pointerSize: 134 } } : {}),
    }))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ sha: this.commit, siblings }))
  }
}

function send(response: ServerResponse, content: Buffer, range: string | undefined, fault: Fault | undefined): void {
  const ignores = fault !== undefined && 'ignoresRange' in fault
  const from = ignores ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  const body = Buffer.from(content.subarray(from))
  if (fault && 'flipsByte' in fault) body[0] = body[0]! ^ 1
  const part = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
  const head = { 'content-length': String(body.length), ...(range !== undefined && !ignores ? part : {}) }
  response.writeHead(range !== undefined && !ignores ? 206 : 200, head)
  if (fault && 'pausesMs' in fault) {
    const half = body.length >> 1
    response.write(body.subarray(0, half))
    return void setTimeout(() => response.end(body.subarray(half)), fault.pausesMs)
  }
  if (!fault || !('cutAfter' in fault)) return void response.end(body)
  response.write(body.subarray(0, fault.cutAfter), () => response.destroy())
}

const isLarge = (content: Buffer): boolean => content.length > 1000
export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
const blobId = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
