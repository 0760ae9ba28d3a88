import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { isRecord } from '../../util/json.ts'
import { describeAddress, isCommit } from '../../util/remote.ts'
import type { HubAddress } from '../../util/remote.ts'
import { get } from '../fetch/http.ts'
import type { Request } from '../fetch/http.ts'
import { guard, publishFile } from '../publish.ts'
import { isFolder } from '../read.ts'
import type { FetchSettings } from '../fetch/settings.ts'

export interface HubFile {
  /** Inside the repository, with slashes. */
  readonly path: string
  readonly size: number
  /** The name of its content: the sha256 of a large file, the git blob id (sha1) of a small one. */
  readonly digest: string
}

/** A repository at one commit. */
export interface Repository {
  readonly commit: string
  readonly files: readonly HubFile[]
}

/** Where a repository lies in the cache: `models--OWNER--REPO`. */
export const repositoryFolder = ({ cache }: FetchSettings, { kind, repository }: HubAddress): string =>
  join(cache, `${kind}--${repository.replace('/', '--')}`)

/** Asks the hub which commit a revision is, and what files that has. Throws Failure HUB_… */
export async function resolveRepository(
  settings: FetchSettings,
  address: HubAddress,
  signal: AbortSignal,
): Promise<Repository> {
  const { kind, repository, revision } = address
  const url = `${settings.endpoint}/api/${kind}/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`
  const what = `"${describeAddress(address)}"`
  const response = await get(url, hubRequest(settings, what, signal))
  const found = parseRepository(await response.json().catch(() => undefined))
  if (!found) {
    const message = `What "${settings.endpoint}" says of ${what} is not what a hub says. Check HF_ENDPOINT.`
    throw new Failure('HUB_BROKEN', message, { exitCode: 1 })
  }
  return found
}

/** Keeps what a branch or tag is, for who is offline. Throws Failure WRITE_FAILED, DISK_FULL. */
export function rememberRevision(settings: FetchSettings, address: HubAddress, commit: string): void {
  if (isCommit(address.revision)) return
  const file = refFile(settings, address)
  guard(file, () => mkdirSync(dirname(file), { recursive: true }))
  publishFile(file, (append) => append(Buffer.from(commit)))
}

export const hubRequest = ({ token }: FetchSettings, what: string, signal: AbortSignal): Request => {
  const login =
    token === undefined ? 'Set HF_TOKEN to a token that may read it.' : 'The token in HF_TOKEN is not accepted for it.'
  const advice = {
    login: `${login} Check its spelling: what does not exist is answered so too.`,
    forbidden: 'Accept its terms on its page, then set HF_TOKEN to your token.',
    missing: 'Check owner, name and revision.',
    busy: 'Wait a few minutes; a token in HF_TOKEN raises the limit.',
    unreachable: 'Check the network and HF_ENDPOINT; with HF_HUB_OFFLINE=1 only what was fetched before is used.',
    changed: 'A proxy may change it.',
  }
  return { site: { code: 'HUB', advice }, token, signal, what }
}

/** What earlier downloads left of a revision. Throws Failure HUB_OFFLINE. */
export function cachedRepository(settings: FetchSettings, address: HubAddress): { commit: string; paths: string[] } {
  const folder = repositoryFolder(settings, address)
  const commit = isCommit(address.revision) ? address.revision : readRef(refFile(settings, address))
  const snapshot = join(folder, 'snapshots', commit ?? '')
  if (commit === undefined || !isFolder(snapshot)) {
    const message = `"${describeAddress(address)}" is not in "${settings.cache}", and HF_HUB_OFFLINE forbids to fetch it. Fetch it once with the network.`
    throw new Failure('HUB_OFFLINE', message)
  }
  const files = readdirSync(snapshot, { withFileTypes: true, recursive: true }).filter((entry) => !entry.isDirectory())
  const paths = files.map(({ parentPath, name }) => relative(snapshot, join(parentPath, name)).split(sep).join('/'))
  return { commit, paths }
}

function parseRepository(json: unknown): Repository | undefined {
  if (!isRecord(json) || typeof json['sha'] !== 'string' || !isCommit(json['sha'])) return undefined
  const { siblings } = json
  if (!Array.isArray(siblings)) return undefined
  const files = siblings.map(parseFile)
  return files.every((file) => file !== undefined) ? { commit: json['sha'], files } : undefined
}

function parseFile(entry: unknown): HubFile | undefined {
  if (!isRecord(entry)) return undefined
  const { rfilename: path, size, blobId, lfs } = entry
  const digest = isRecord(lfs) ? lfs['sha256'] : blobId
  if (typeof path !== 'string' || typeof size !== 'number' || typeof digest !== 'string') return undefined
  // what a server says becomes a path on this machine
  const isInside = !/(^|[\\/])\.{1,2}([\\/]|$)|^[\\/]|\\|:/.test(path) && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest)
  return isInside ? { path, size, digest } : undefined
}

const refFile = (settings: FetchSettings, address: HubAddress): string =>
  join(repositoryFolder(settings, address), 'refs', address.revision)

function readRef(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return isCommit(text) ? text : undefined
  } catch {
    return undefined
  }
}
