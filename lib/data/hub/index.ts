import { existsSync, mkdirSync, statfsSync, symlinkSync, copyFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { describeAddress, parseHubAddress } from './address.ts'
import type { HubAddress } from './address.ts'
import { download } from './download.ts'
import { cachedRepository, repositoryFolder, resolveRepository } from './repository.ts'
import type { RemoteFile, Repository } from './repository.ts'
import type { HubSettings } from './settings.ts'

export interface FetchHooks {
  readonly signal: AbortSignal
  /** Bytes of all files that are wanted. */
  readonly onBytes: (done: number, total: number) => void
  readonly log: (message: string) => void
}

/** Of the paths of a repository those that are wanted. Throws a Failure where a needed one is not among them. */
export type Pick = (paths: readonly string[]) => readonly string[]

/** Files that are fetched at once. */
const atOnce = 4

/**
 * The folder of a repository's snapshot in the cache that the official clients share, with at least the wanted files in
 * it, each checked against the hub's digest. Throws Failure HUB_…, DISK_SMALL, DISK_FULL, and what `pick` throws.
 */
export async function fetchHub(source: string, pick: Pick, settings: HubSettings, hooks: FetchHooks): Promise<string> {
  const address = parseHubAddress(source)
  const folder = repositoryFolder(settings, address)
  if (settings.offline) {
    const { commit, paths } = cachedRepository(settings, address)
    pick(paths)
    return join(folder, 'snapshots', commit)
  }
  const repository = await resolveRepository(settings, address, hooks.signal)
  const wanted = new Set(pick(repository.files.map(({ path }) => path)))
  const files = repository.files.filter(({ path }) => wanted.has(path))
  const blobOf = ({ digest }: RemoteFile): string => join(folder, 'blobs', digest)
  checkRoom(
    settings.cache,
    describeAddress(address),
    files.filter((file) => !existsSync(blobOf(file))),
  )
  await fetchAll(files, blobOf, address, repository, settings, hooks)
  const snapshot = join(folder, 'snapshots', repository.commit)
  for (const file of files) link(blobOf(file), join(snapshot, file.path))
  if (repository.commit !== address.revision) hooks.log(`${describeAddress(address)} is commit ${repository.commit}`)
  return snapshot
}

async function fetchAll(
  files: readonly RemoteFile[],
  blobOf: (file: RemoteFile) => string,
  address: HubAddress,
  { commit }: Repository,
  { endpoint, token }: HubSettings,
  { signal, onBytes }: FetchHooks,
): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + size, 0)
  const done = new Map<string, number>()
  const what = describeAddress(address)
  const prefix = `${endpoint}/${address.kind === 'datasets' ? 'datasets/' : ''}${address.repository}/resolve/${commit}`
  const queue = [...files]
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const { path } = file
      const url = `${prefix}/${path.split('/').map(encodeURIComponent).join('/')}`
      await download(
        url,
        file,
        blobOf(file),
        { token, signal: either, what },
        {
          signal: either,
          onBytes: (bytes) => {
            done.set(path, bytes)
            onBytes(
              [...done.values()].reduce((sum, one) => sum + one, 0),
              total,
            )
          },
        },
      )
    }
  }
  const workers = Array.from({ length: atOnce }, () => work().catch((error: unknown) => stop.abort(error)))
  // all have stopped before the first one's reason is told: nothing writes on behind its back
  await Promise.all(workers)
  signal.throwIfAborted()
  stop.signal.throwIfAborted()
}

/** A disk too small is said before hours of download, not after. */
function checkRoom(cache: string, what: string, files: readonly RemoteFile[]): void {
  const needed = files.reduce((sum, { size }) => sum + size, 0)
  mkdirSync(cache, { recursive: true })
  const { bavail, bsize } = statfsSync(cache)
  if (needed <= bavail * bsize) return
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  const message = `"${what}" needs ${gib(needed)} in "${cache}", which has room for ${gib(bavail * bsize)}. Make room, or name another folder by HF_HOME.`
  throw new Failure('DISK_SMALL', message, { exitCode: 1 })
}

function link(blob: string, path: string): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  rmSync(path, { force: true }) // a link to a blob that was removed
  try {
    symlinkSync(relative(dirname(path), blob), path)
  } catch {
    copyFileSync(blob, path) // Windows without the right to make links
  }
}
