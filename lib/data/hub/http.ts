import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../../util/failure.ts'

export interface HubRequest {
  /** Sent to the first host alone: a redirect to another must not carry it. */
  readonly token: string | undefined
  readonly signal: AbortSignal
  /** First byte wanted; all of them from 0. */
  readonly from?: number
  /** What is asked for, for messages: `openai-community/gpt2@main`. */
  readonly what: string
}

const mostRedirects = 10
/** The waits before another try, unless the server names one. */
const waits = [0.5, 1, 2, 4]

/**
 * Gets a URL, redirects followed by hand, what may pass tried again. Throws Failure HUB_UNAUTHORIZED, HUB_FORBIDDEN,
 * HUB_NOT_FOUND, HUB_BUSY, HUB_BROKEN, HUB_UNREACHABLE, each with what to do; an AbortError when the signal says so.
 */
export async function hubGet(url: string, request: HubRequest): Promise<Response> {
  for (const [attempt, wait] of [...waits, undefined].entries()) {
    const answer = await follow(url, request)
    if (answer instanceof Response && (answer.ok || !mayPass(answer.status))) return checked(answer, request)
    if (wait === undefined) throw gaveUp(answer, url, request, attempt + 1)
    const named = answer instanceof Response ? Number(answer.headers.get('retry-after') ?? NaN) : NaN
    if (answer instanceof Response) await answer.body?.cancel()
    await delay(1000 * Math.min(Number.isFinite(named) ? named : wait, 60), undefined, { signal: request.signal })
  }
  throw new Error('Internal error: the last try returns or throws')
}

/** The answer behind all redirects, or why there is none. */
async function follow(url: string, { token, signal, from = 0 }: HubRequest): Promise<Response | Error> {
  let at = new URL(url)
  const { origin } = at
  for (let n = 0; n <= mostRedirects; n++) {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' }
    if (from > 0) headers['range'] = `bytes=${from}-`
    if (token !== undefined && at.origin === origin) headers['authorization'] = `Bearer ${token}`
    try {
      const response = await fetch(at, { headers, redirect: 'manual', signal })
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || location === null) return response
      await response.body?.cancel()
      at = new URL(location, at)
    } catch (error) {
      signal.throwIfAborted()
      return error instanceof Error ? error : new Error(String(error))
    }
  }
  return new Error(`more than ${mostRedirects} redirects`)
}

const mayPass = (status: number): boolean => status === 408 || status === 429 || status >= 500

function checked(response: Response, { what, token }: HubRequest): Response {
  if (response.ok) return response
  const { status } = response
  const said = response.headers.get('x-error-message')
  const because = said === null ? '' : ` The hub says: ${said}`
  const tokenAdvice =
    token === undefined ? 'Set HF_TOKEN to a token that may read it.' : 'The token in HF_TOKEN is not accepted for it.'
  if (status === 401) {
    const message = `"${what}" asks for a token (401), or does not exist. ${tokenAdvice} Check its spelling.${because}`
    throw new Failure('HUB_UNAUTHORIZED', message)
  }
  if (status === 403) {
    const message = `Access to "${what}" is refused (403). Accept its terms on its page, then set HF_TOKEN to your token.${because}`
    throw new Failure('HUB_FORBIDDEN', message)
  }
  if (status === 404) {
    throw new Failure('HUB_NOT_FOUND', `"${what}" is not on the hub (404). Check owner, name and revision.${because}`)
  }
  throw new Failure('HUB_BROKEN', `The hub answered ${status} for "${what}".${because}`, { exitCode: 1 })
}

function gaveUp(answer: Response | Error, url: string, { what }: HubRequest, tries: number): Failure {
  const { host } = new URL(url)
  if (answer instanceof Error) {
    const cause = answer.cause instanceof Error ? answer.cause.message : answer.message
    const message = `"${host}" could not be reached for "${what}" in ${tries} tries: ${cause}. Check the network and HF_ENDPOINT; with HF_HUB_OFFLINE=1 only what was fetched before is used.`
    return new Failure('HUB_UNREACHABLE', message, { exitCode: 1, cause: answer })
  }
  if (answer.status === 429) {
    const message = `"${host}" gets too many requests (429), in ${tries} tries for "${what}". Wait a few minutes; a token in HF_TOKEN raises the limit.`
    return new Failure('HUB_BUSY', message, { exitCode: 1 })
  }
  const message = `"${host}" answered ${answer.status} in ${tries} tries for "${what}". Run again later: what was fetched is kept.`
  return new Failure('HUB_BROKEN', message, { exitCode: 1 })
}
