import type { ServerResponse } from 'node:http'
import { gzip } from 'node:zlib'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { Failure } from '../util/failure.ts'
import { plainFailure } from './plan.ts'

/** What a request gets: a status, a kind and bytes. */
export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Uint8Array | Readable
  readonly headers?: Readonly<Record<string, string>>
}

export const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
})

export const words = (text: string, status = 200): Answer => ({ status, type: 'text/plain; charset=utf-8', body: text })

export const nothing = (what: string): Answer =>
  json({ failures: [{ code: 'NOT_FOUND', message: what, place: null }] }, 404)

/** No error of the page, as whose a browser's console would have it with another status. */
export const refused = (failures: readonly Failure[]): Answer => json({ failures: failures.map(plainFailure) })

/** What a Failure was thrown for is answered in its words; anything else is a bug of ours. */
export function refusedBy(error: unknown): Answer {
  if (error instanceof Failure) return refused([error])
  throw error
}

const SMALL_BYTES = 2048

export async function send(
  response: ServerResponse,
  { status, type, body, headers }: Answer,
  zipped: boolean,
): Promise<void> {
  if (body instanceof Readable) {
    response.writeHead(status, { 'content-type': type, ...headers })
    await pipeline(body, response).catch(() => undefined) // the reader has gone
    return
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const isZipped = zipped && bytes.length > SMALL_BYTES
  const content = isZipped ? await promisify(gzip)(bytes, { level: 3 }) : bytes
  response.writeHead(status, {
    'content-type': type,
    'content-length': content.length,
    ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    ...headers,
  })
  response.end(content)
}
