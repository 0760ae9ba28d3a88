import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import { hashFile } from '../digest.ts'
import { readListed, recordFolders } from '../experiment.ts'
import { remove, token } from '../files.ts'
import { isWhole } from '../sources/pack.ts'
import { SOURCES, copiesOf, poolOf } from '../sources/pool.ts'
import type { Expected } from './checked.ts'
import { remoteDamage } from './remote.ts'
import { allOf, pushFiles } from './results.ts'
import type { Channel, Pushed } from './results.ts'
import { readEntry, writeEntry } from './signed.ts'
import { download } from './transfer.ts'

/** What the remote has of an experiment's folder: its files, whose contents are objects. */
interface ExperimentEntry {
  readonly version: 1
  readonly hash: string
  readonly files: readonly (Expected & { readonly path: string })[]
}

const PREFIX = 'experiments/'
const nameOf = (hash: string): string => `${PREFIX}${hash}.json`
/** A pin and tags are marks of the folder that they lie in. */
const FILES =
  /^(record\.json|report\.html|metrics\.jsonl|bundles\/[0-9a-f]{64}\.mjs\.gz|outputs\/[0-9a-f]{64}|\.sources\/[0-9a-f]{64})$/

/** Pushes the record of an experiment, its page and its code; what says that they are there goes last. */
export async function pushExperiment(channel: Channel, root: string, hash: string): Promise<Pushed> {
  const folder = recordFolders(root, hash).find((one) => existsSync(join(one, 'record.json')))
  if (folder === undefined) throw new Error(`Internal error: ${hash} is not recorded`)
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'))
  const own = names.filter((name) => FILES.test(name)).map((path) => ({ path, from: join(folder, path) }))
  const files = [...own, ...sourceFiles(root, hash)].map((file) => ({ ...file, ...contentOf(file.from) }))
  const pushed = await pushFiles(channel, files)
  const entry = { version: 1, hash, files: files.map(({ path, size, sha256 }) => ({ path, size, sha256 })) } as const
  await writeEntry(channel, nameOf(hash), `${JSON.stringify(entry satisfies ExperimentEntry)}\n`)
  return pushed
}

/** Copies of what it read that no stage makes: they lie beside the folders of experiments. */
function sourceFiles(root: string, hash: string) {
  const digests = new Set(Object.values(readListed(root, hash)?.record.sources ?? {}))
  return [...digests].flatMap((digest) => {
    const from = copiesOf(root, hash, digest).find((file) => existsSync(file))
    return from === undefined ? [] : [{ path: `${SOURCES}/${digest}`, from }]
  })
}

function contentOf(file: string): Expected {
  const stat = statSync(file, { bigint: true })
  return { size: Number(stat.size), sha256: hashFile(file, stat, () => undefined) }
}

/** The full hash of the one experiment in the remote whose hash begins with `prefix`. Throws a Failure. */
export async function findExperiment({ remote, signal }: Channel, prefix: string): Promise<string> {
  const names = /^[0-9a-f]+$/.test(prefix) ? await remote.list(PREFIX + prefix, signal) : []
  const hashes = names.flatMap((name) => /^experiments\/([0-9a-f]{64})\.json$/.exec(name)?.[1] ?? [])
  if (hashes.length === 1) return hashes[0]!
  const [code, found, advice] =
    hashes.length === 0
      ? (['EXPERIMENT_UNKNOWN', 'no experiment', 'Where it was run, `pipeline push HASH` puts it there.'] as const)
      : (['EXPERIMENT_AMBIGUOUS', `${hashes.length} experiments`, 'Give more digits.'] as const)
  throw new Failure(code, `The remote "${remote.address}" has ${found} whose hash begins with "${prefix}". ${advice}`)
}

/** Fetches an experiment's record, page and code; the record comes last, as without it there is none. */
export async function fetchExperiment(channel: Channel, root: string, hash: string): Promise<void> {
  const entry = await findEntry(channel, hash)
  if (entry === undefined) throw remoteDamage(channel.remote.address, nameOf(hash), 'is not whole.')
  const [folder] = recordFolders(root, hash)
  const draft = join(dirname(folder), `.tmp-${token()}`)
  try {
    await allOf(channel, entry.files, async (file, { remote, signal, limit }) => {
      const path = join(draft, file.path)
      mkdirSync(dirname(path), { recursive: true })
      await limit(() => download(remote, file, { path, mode: 0o644 }, signal))
    })
    const isLast = (path: string): number => Number(path === 'record.json')
    for (const { path } of entry.files.toSorted((a, b) => isLast(a.path) - isLast(b.path))) {
      if (path.startsWith(SOURCES)) takeSource(channel, root, basename(path) as Digest, join(draft, path))
      else moveTo(join(folder, path), join(draft, path))
    }
  } finally {
    remove(draft)
  }
}

/** Other experiments may read it, too: a whole copy is never replaced. Throws a Failure for one that is not whole. */
function takeSource({ remote }: Channel, root: string, digest: Digest, arrived: string): void {
  const place = join(poolOf(root), digest)
  if (isWhole(place, digest)) return
  if (!isWhole(arrived, digest))
    throw remoteDamage(remote.address, `${SOURCES}/${digest}`, 'is no copy of what its name says.')
  moveTo(place, arrived)
}

function moveTo(place: string, from: string): void {
  mkdirSync(dirname(place), { recursive: true })
  renameSync(from, place)
}

/** Fetches the copy of a source that an experiment read; false where the remote has none. Throws a Failure. */
export async function fetchSource(channel: Channel, root: string, hash: string, digest: Digest): Promise<boolean> {
  const entry = await findEntry(channel, hash)
  const file = entry?.files.find(({ path }) => path === `${SOURCES}/${digest}`)
  if (file === undefined) return false
  const draft = join(poolOf(root), `.${token()}`)
  try {
    mkdirSync(dirname(draft), { recursive: true })
    await download(channel.remote, file, { path: draft, mode: 0o644 }, channel.signal)
    takeSource(channel, root, digest, draft)
    return true
  } finally {
    remove(draft)
  }
}

/** Undefined where the remote has none, or not whole. */
async function findEntry(channel: Channel, hash: string): Promise<ExperimentEntry | undefined> {
  const text = await readEntry(channel, nameOf(hash))
  const entry = text === undefined ? undefined : parse(text)
  const isValid = entry?.version === 1 && entry.hash === hash && entry.files.every(isFile)
  return isValid && entry.files.some(({ path }) => path === 'record.json') ? entry : undefined
}

const isFile = ({ path, size, sha256 }: ExperimentEntry['files'][number]): boolean =>
  FILES.test(path) && Number.isSafeInteger(size) && /^[0-9a-f]{64}$/.test(sha256 satisfies Digest)

function parse(text: string): ExperimentEntry | undefined {
  try {
    return JSON.parse(text) as ExperimentEntry
  } catch {
    return undefined
  }
}
