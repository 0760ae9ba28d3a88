import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Failure } from '../util/failure.ts'
import type { WebAddress } from '../util/remote.ts'
import { download } from './fetch/download.ts'
import type { FetchHooks, Pick } from './fetch/hooks.ts'
import type { Site } from './fetch/http.ts'
import type { FetchSettings } from './fetch/settings.ts'
import { readText } from './read.ts'

/** What `sha256sum * > SHA256SUMS` writes: the files of a folder, so that one digest pins them all. */
const sumsName = 'SHA256SUMS'

/**
 * The file of an address in the cache, checked against its digest; of a SHA256SUMS the folder with the picked files of
 * those that it lists, each checked against the digest there. Throws Failure WEB_…, SUMS_INVALID, DISK_FULL,
 * WRITE_FAILED, and what `pick` throws.
 */
export async function fetchWeb(
  { url, sha256 }: WebAddress,
  pick: Pick,
  settings: FetchSettings,
  hooks: FetchHooks,
): Promise<string> {
  const folder = join(settings.webCache, sha256)
  const name = basename(new URL(url).pathname).replace(/[^\w.-]/g, '_')
  const file = join(folder, name)
  await fetchOne(url, sha256, file, settings, hooks)
  if (name !== sumsName) return file
  const sums = parseSums(file)
  for (const path of pick([...sums.keys()])) {
    const escaped = path.split('/').map(encodeURIComponent).join('/')
    await fetchOne(new URL(escaped, url).href, sums.get(path)!, join(folder, path), settings, hooks)
  }
  return folder
}

async function fetchOne(
  url: string,
  digest: string,
  file: string,
  { offline, webCache }: FetchSettings,
  { signal, onBytes, log }: FetchHooks,
): Promise<void> {
  if (offline && !existsSync(file)) {
    const message = `"${url}" is not in "${webCache}", and HF_HUB_OFFLINE forbids to fetch it. Fetch it once with the network.`
    throw new Failure('WEB_OFFLINE', message)
  }
  const count = (done: number, size: number | undefined): void => {
    if (size !== undefined) onBytes(done, size)
  }
  const request = { site, token: undefined, signal, what: `"${url}"` }
  await download({ url, size: undefined, digest }, file, request, { onBytes: count, log })
}

const ownCopy = 'Only what is open to all is fetched: download it yourself, and give it as "file:PATH".'

const site: Site = {
  code: 'WEB',
  advice: {
    login: ownCopy,
    forbidden: ownCopy,
    missing: 'Check the address.',
    busy: 'Wait a few minutes.',
    unreachable: 'Check the address and the network; with HF_HUB_OFFLINE=1 only what was fetched before is used.',
    changed: 'If the new file is the one that is meant, write its digest into the source.',
  },
}

/** A line is a digest, two spaces (or one and a star), and a path from the file's own folder on. */
function parseSums(file: string): ReadonlyMap<string, string> {
  const lines = readText(file).trimEnd().split(/\r?\n/)
  const entries = lines.map((line, at): [string, string] => {
    const [, digest, path] = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/.exec(line) ?? []
    // what a server says becomes a path on this machine
    if (digest !== undefined && path !== undefined && !/(^|\/)\.{0,2}(\/|$)|\\|:/.test(path)) return [path, digest]
    const message = `Line ${at + 1} of "${file}" is no digest with a path inside its folder: expected what \`sha256sum * > ${sumsName}\` writes.`
    throw new Failure('SUMS_INVALID', message)
  })
  return new Map(entries)
}
