import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
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
  /** Half of a file comes at once, the rest, and an answer of the API, when this is settled. */
  | { readonly waitsFor: Promise<void> }
  | { readonly hidesLength: true }
  /** Half of the bytes come so many milliseconds after the others. */
  | { readonly pausesMs: number }

/** A large file on this machine, served whole without being read whole; no fault strikes it. */
export interface DiskFile {
  readonly path: string
  readonly length: number
  readonly sha256: string
}

export type Content = Buffer | DiskFile

export interface Asked {
  readonly host: string
  readonly url: string
  readonly range: string | undefined
  readonly token: string | undefined
}

/** A hub on this machine: the API, `resolve`, large files behind a redirect to another host; `/files/` is plain. */
export class HubServer {
  readonly asked: Asked[] = []
  /** For requests of the API, and for those of file contents. */
  readonly faults: { api: Fault[]; file: Fault[] } = { api: [], file: [] }
  /** Which files no fault strikes. */
  spared: (url: string) => boolean = () => false
  readonly #server: Server
  readonly #repositories: ReadonlyMap<string, Readonly<Record<string, Content>>>
  /** What `main` is now; every commit has the same files. */
  commit = 'c0ffee'.padEnd(40, '0')

  /** Repositories by `models/OWNER/REPO`, and `files`: file name to content; those over 1,000 bytes are large. */
  constructor(repositories: Readonly<Record<string, Readonly<Record<string, Content>>>>) {
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

  /** How many are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_, count) => resolve(count)))
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
    const fault = api ? this.faults.api.shift() : this.spared(url) ? undefined : this.faults.file.shift()
    if (fault && 'status' in fault) return void response.writeHead(fault.status, fault.headers).end()
    if (api) {
      const tell = (): void => this.#tell(api[1]!, decodeURIComponent(api[2]!), response)
      if (fault && 'waitsFor' in fault) void fault.waitsFor.then(tell)
      else tell()
      return
    }
    const file = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(url)
    const cdn = /^\/cdn\/(.+?)\/\/(.+)$/.exec(url) ?? /^\/(files)\/(.+)$/.exec(url)
    const [repository, path] = cdn
      ? [cdn[1]!, decodeURIComponent(cdn[2]!)]
      : [`${file?.[1] ?? 'models/'}${file?.[2] ?? ''}`, decodeURIComponent(file?.[3] ?? '')]
    const content = this.#repositories.get(repository)?.[path]
    if (!content) return void response.writeHead(404).end()
    if (!cdn && isLarge(content)) {
      if (fault) this.faults.file.unshift(fault)
      const location = `http://localhost:${this.#port}/cdn/${repository}//${path}`
      return void response.writeHead(302, { location }).end()
    }
    if (Buffer.isBuffer(content)) send(response, content, range, fault)
    else sendFile(response, content)
  }

  #tell(repository: string, revision: string, response: ServerResponse): void {
    const files = this.#repositories.get(repository)
    const sha = revision === 'main' ? this.commit : revision
    if (!files || !/^[0-9a-f]{40}$/.test(sha)) return void response.writeHead(404).end()
    const siblings = Object.entries(files).map(([rfilename, content]) => ({
      ...{ rfilename, size: content.length },
      ...digestsOf(content),
    }))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ sha, siblings }))
  }
}

function digestsOf(content: Content): object {
  const large = (digest: string): object => ({ lfs: { sha256: digest, size: content.length, pointerSize: 134 } })
  if (!Buffer.isBuffer(content)) return large(content.sha256)
  return { blobId: blobId(content), ...(isLarge(content) ? large(sha256(content)) : {}) }
}

function sendFile(response: ServerResponse, { path, length }: DiskFile): void {
  response.writeHead(200, { 'content-length': String(length) })
  createReadStream(path, { highWaterMark: 1 << 20 }).pipe(response)
}

function send(response: ServerResponse, content: Buffer, range: string | undefined, fault: Fault | undefined): void {
  const ignores = fault !== undefined && 'ignoresRange' in fault
  const from = ignores ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  if (from > 0 && from >= content.length) return void response.writeHead(416).end()
  const body = Buffer.from(content.subarray(from))
  if (fault && 'flipsByte' in fault) body[0] = body[0]! ^ 1
  const part = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
  const length = fault && 'hidesLength' in fault ? {} : { 'content-length': String(body.length) }
  const head = { ...length, ...(range !== undefined && !ignores ? part : {}) }
  response.writeHead(range !== undefined && !ignores ? 206 : 200, head)
  const half = body.length >> 1
  const halve = (): void => void response.write(body.subarray(0, half))
  const end = (): void => void response.end(body.subarray(half))
  if (fault && 'waitsFor' in fault) {
    halve()
    return void fault.waitsFor.then(end)
  }
  if (fault && 'pausesMs' in fault) {
    halve()
    return void setTimeout(end, fault.pausesMs)
  }
  if (!fault || !('cutAfter' in fault)) return void response.end(body)
  response.write(body.subarray(0, fault.cutAfter), () => response.destroy())
}

/** A file as `HubServer` serves it from the disk. */
export async function diskFile(path: string): Promise<DiskFile> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return { path, length: statSync(path).size, sha256: hash.digest('hex') }
}

const isLarge = (content: Content): boolean => !Buffer.isBuffer(content) || content.length > 1000
export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
const blobId = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
