import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Nothing but what comes from this server, no inline script or style, and no page around ours. */
export const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const

/** Who may ask: pages of this address alone, with the token that the command printed. */
export class Guard {
  readonly token = randomBytes(24).toString('hex')
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  /** Browsers send cookies to every port of a host: the name tells two of these apart. */
  get cookie(): string {
    return `pipeline-ui-${this.#port}=${this.token}; HttpOnly; SameSite=Strict; Path=/`
  }

  /** Why a request is refused, in words; undefined where it is not. */
  refuse(request: IncomingMessage, url: URL): string | undefined {
    // a name of someone else's that resolves to this machine
    const host = request.headers.host ?? ''
    if (host !== `127.0.0.1:${this.#port}` && host !== `localhost:${this.#port}`)
      return `This page is served to 127.0.0.1:${this.#port} alone, and was asked for as "${host.slice(0, 100)}".`
    const site = request.headers['sec-fetch-site']
    if (url.pathname !== '/' && site !== undefined && site !== 'same-origin' && site !== 'none')
      return 'Another site asked for this, which only the page itself may.'
    const given = url.searchParams.get('token')
    if (given === null ? this.#hasCookie(request) : isSame(given, this.token)) return undefined
    return 'The token is missing or wrong. Open the address that `pipeline ui` printed when it was started; each start has another.'
  }

  #hasCookie(request: IncomingMessage): boolean {
    const name = `pipeline-ui-${this.#port}=`
    const cookies = (request.headers.cookie ?? '').split(/;\s*/)
    return cookies.some((cookie) => cookie.startsWith(name) && isSame(cookie.slice(name.length), this.token))
  }
}

function isSame(a: string, b: string): boolean {
  const [given, known] = [Buffer.from(a), Buffer.from(b)]
  return given.length === known.length && timingSafeEqual(given, known)
}
