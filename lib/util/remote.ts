import { err, ok } from './result.ts'
import type { Result } from './result.ts'

/** A repository of the hub at a revision: `hub:OWNER/REPO@REVISION`, `hub:datasets/OWNER/REPO@REVISION`. */
export interface HubAddress {
  readonly site: 'hub'
  readonly kind: 'models' | 'datasets'
  /** `OWNER/REPO` */
  readonly repository: string
  /** A commit, a tag or a branch. */
  readonly revision: string
}

/** A file of any server, known by its content: `https://HOST/PATH#sha256=DIGEST`. */
export interface WebAddress {
  readonly site: 'web'
  /** Without the digest. */
  readonly url: string
  readonly sha256: string
}

export const isRemote = (source: string): boolean => /^(hub|https?):/.test(source)

/** What a source that `isRemote` names, or what is wrong with it and how it is written. */
export const parseRemote = (source: string): Result<HubAddress | WebAddress, string> =>
  source.startsWith('hub:') ? parseHub(source) : parseWeb(source)

function parseHub(source: string): Result<HubAddress, string> {
  const match = /^hub:(datasets\/)?([\w.-]+\/[\w.-]+)@([\w./-]+)$/.exec(source)
  // a path is made of these parts
  if (match && !/(^|\/)\.{0,2}(\/|$)/.test(`${match[2]!}/${match[3]!}`)) {
    const kind = match[1] === undefined ? 'models' : 'datasets'
    return ok({ site: 'hub', kind, repository: match[2]!, revision: match[3]! })
  }
  const expected = 'hub:OWNER/REPO@REVISION or hub:datasets/OWNER/REPO@REVISION'
  return err(`"${source}" is no repository of the hub at a revision. Write ${expected}.`)
}

function parseWeb(source: string): Result<WebAddress, string> {
  const form = 'https://HOST/PATH#sha256=DIGEST'
  const [address, fragment] = source.split('#') as [string, string?]
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || /\s/.test(address) || url.pathname.endsWith('/')) {
    return err(`"${source}" is not the address of a file. Write ${form}.`)
  }
  if (url.username !== '' || url.password !== '') {
    return err(`The source at "${url.host}" holds a name or password, which would be recorded. Leave it out.`)
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return err(`"${source}" is not encrypted; http: is for this machine alone. Write ${form}.`)
  }
  const sha256 = /^sha256=([0-9a-f]{64})$/.exec(fragment ?? '')?.[1]
  if (sha256 !== undefined) return ok({ site: 'web', url: url.href, sha256 })
  const lacks = fragment === undefined ? 'has no digest' : 'has no digest of 64 hex digits'
  const advice = `\`sha256sum FILE\` prints it for a copy that you have downloaded and trust`
  return err(`"${source}" ${lacks}, so that nothing says what it must hold. Write ${form}: ${advice}.`)
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

/** For people and for the cache's folders. */
export const describeAddress = ({ kind, repository, revision }: HubAddress): string =>
  `${kind === 'datasets' ? 'datasets/' : ''}${repository}@${revision}`
