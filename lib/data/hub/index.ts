import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, renameSync, statfsSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { describeAddress } from '../../util/remote.ts'
import type { HubAddress } from '../../util/remote.ts'
import { download } from '../fetch/download.ts'
import type { FetchHooks, Pick } from '../fetch/hooks.ts'
import type { FetchSettings } from '../fetch/settings.ts'
import { cachedRepository, hubRequest, rememberRevision, repositoryFolder, resolveRepository } from './repository.ts'
import type { HubFile, Repository } from './repository.ts'
import { gib } from '../../util/gib.ts'

/** Files that are fetched at once. */
const atOnce = 4

/**
 * The folder of a repository's snapshot in the cache that the official clients share, with at least the wanted files in
 * it, each checked against the hub's digest. Throws Failure HUB_…, DISK_SMALL, DISK_FULL, and what `pick` throws.
 */
export async function fetchHub(
  address: HubAddress,
  pick: Pick,
  settings: FetchSettings,
  hooks: FetchHooks,
): Promise<string> {
  const folder = repositoryFolder(settings, address)
  if (settings.offline) {
    const { commit, paths } = cachedRepository(settings, address)
    pick(paths)
    return join(folder, 'snapshots', commit)
  }
  const repository = await resolveRepository(settings, address, hooks.signal)
  rememberRevision(settings, address, repository.commit)
  const wanted = new Set(pick(repository.files.map(({ path }) => path)))
  const files = repository.files.filter(({ path }) => wanted.has(path))
  const blobOf = ({ digest }: HubFile): string => join(folder, 'blobs', digest)
  checkRoom(
    settings.cache,
    describeAddress(address),
    files.filter((file) => !existsSync(blobOf(file))),
  )
  await fetchAll(files, blobOf, address, repository, settings, hooks)
  const snapshot = join(folder, 'snapshots', repository.commit)
  for (const file of files) link(blobOf(file), join(snapshot, file.path))
  return snapshot
}

async function fetchAll(
  files: readonly HubFile[],
  blobOf: (file: HubFile) => string,
  address: HubAddress,
  { commit }: Repository,
  settings: FetchSettings,
  { signal, onBytes, log }: FetchHooks,
): Promise<void> {
  const total = sum(files.map(({ size }) => size))
  const done = new Map<string, number>()
  const folder = `${address.kind === 'datasets' ? 'datasets/' : ''}${address.repository}`
  const queue = [...files]
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const { path, size, digest } = file
      const url = `${settings.endpoint}/${folder}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
      const request = hubRequest(settings, `"${path}" of "${describeAddress(address)}"`, either)
      const count = (bytes: number): void => {
        done.set(path, bytes)
        onBytes(sum(done.values()), total)
      }
      await download({ url, size, digest }, blobOf(file), request, { onBytes: count, log })
    }
  }
  const workers = Array.from({ length: atOnce }, () => work().catch((error: unknown) => stop.abort(error)))
  // all have stopped before the first one's reason is told: nothing writes on behind its back
  await Promise.all(workers)
  signal.throwIfAborted()
  stop.signal.throwIfAborted()
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, one) => total + one, 0)

/** A disk too small is said before hours of download, not after. */
function checkRoom(cache: string, what: string, files: readonly HubFile[]): void {
  const needed = sum(files.map(({ size }) => size))
  mkdirSync(cache, { recursive: true })
  const { bavail, bsize } = statfsSync(cache)
  if (needed <= bavail * bsize) return
  const message = `"${what}" needs ${gib(needed)} in "${cache}", which has room for ${gib(bavail * bsize)}. Make room, or name another folder by HF_HOME.`
  throw new Failure('DISK_SMALL', message, { exitCode: 1 })
}

/** Made beside its place and renamed, as another process may make or read the same link. */
function link(blob: string, path: string): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  try {
    symlinkSync(relative(dirname(path), blob), temporary)
  } catch {
    copyFileSync(blob, temporary) // Windows without the right to make links
  }
  renameSync(temporary, path)
}
