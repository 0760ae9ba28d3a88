import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../../util/failure.ts'

/** Whom a request asks, as far as messages differ. */
export interface Site {
  /** What its failures' codes begin with. */
  readonly code: 'HUB' | 'WEB'
  /** What to do, by what went wrong. */
  readonly advice: Readonly<Record<'login' | 'forbidden' | 'missing' | 'busy' | 'unreachable' | 'changed', string>>
}

export interface Request {
  readonly site: Site
  /** Sent to the first host alone: a redirect to another must not carry it. */
  readonly token: string | undefined
  readonly signal: AbortSignal
  /** What is asked for, for messages, in quotes: `"openai-community/gpt2@main"`. */
  readonly what: string
}

const mostRedirects = 10
/** The waits before another try, unless the server names one. */
const waits = [0.5, 1, 2, 4]

/**
 * Gets a URL from a byte on, redirects followed by hand, what may pass tried again. The answer is a success, or 416
 * where there is nothing from that byte on. Throws Failure …_UNAUTHORIZED, …_FORBIDDEN, …_NOT_FOUND, …_BUSY, …_BROKEN,
 * …_UNREACHABLE, each with what to do; an AbortError when the signal says so.
 */
export async function get(url: string, request: Request, from = 0): Promise<Response> {
  for (const [attempt, wait] of [...waits, undefined].entries()) {
    const answer = await follow(url, request, from)
    if (answer instanceof Response && !mayPass(answer.status)) {
      if (answer.ok || (answer.status === 416 && from > 0)) return answer
      await answer.body?.cancel()
      throw refused(answer, request)
    }
    if (wait === undefined) throw gaveUp(answer, url, request, attempt + 1)
    const named = answer instanceof Response ? Number(answer.headers.get('retry-after') ?? NaN) : NaN
    if (answer instanceof Response) await answer.body?.cancel()
    await delay(1000 * Math.min(Number.isFinite(named) ? named : wait, 60), undefined, { signal: request.signal })
  }
  throw new Error('Internal error: the last try returns or throws')
}

/** The answer behind all redirects, or why there is none. */
async function follow(url: string, { token, signal }: Request, from: number): Promise<Response | Error> {
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

function refused({ status, headers }: Response, { what, site: { code, advice } }: Request): Failure {
  const said = headers.get('x-error-message')
  const because = said === null ? '' : ` The server says: ${said}`
  switch (status) {
    case 401:
      return new Failure(`${code}_UNAUTHORIZED`, `${what} asks for a login (401). ${advice.login}${because}`)
    case 403:
      return new Failure(`${code}_FORBIDDEN`, `Access to ${what} is refused (403). ${advice.forbidden}${because}`)
    case 404:
      return new Failure(`${code}_NOT_FOUND`, `${what} is not there (404). ${advice.missing}${because}`)
    default:
      return new Failure(`${code}_BROKEN`, `The server answered ${status} for ${what}.${because}`, { exitCode: 1 })
  }
}

function gaveUp(answer: Response | Error, url: string, { what, site }: Request, tries: number): Failure {
  const { host } = new URL(url)
  if (answer instanceof Error) {
    const cause = reasonOf(answer)
    const message = `"${host}" could not be reached for ${what} in ${tries} tries: ${cause}. ${site.advice.unreachable}`
    return new Failure(`${site.code}_UNREACHABLE`, message, { exitCode: 1, cause: answer })
  }
  if (answer.status === 429) {
    const message = `"${host}" gets too many requests (429), in ${tries} tries for ${what}. ${site.advice.busy}`
    return new Failure(`${site.code}_BUSY`, message, { exitCode: 1 })
  }
  const message = `"${host}" answered ${answer.status} in ${tries} tries for ${what}. Run again later: what was fetched is kept.`
  return new Failure(`${site.code}_BROKEN`, message, { exitCode: 1 })
}

/** `fetch` says "fetch failed" and keeps the reason for its cause; of several addresses tried, the code alone. */
function reasonOf({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message
  return cause.message !== '' || !('code' in cause) ? cause.message : String(cause.code)
}
