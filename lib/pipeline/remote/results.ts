import { chmodSync, constants, copyFileSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import { isWithoutLinks } from '../link.ts'
import type { Manifest } from '../manifest.ts'
import type { ResultPlace, Store, Work } from '../store.ts'
import type { Expected } from './checked.ts'
import { entryName, entryText, makeEntry, parseEntry } from './entry.ts'
import type { ResultEntry } from './entry.ts'
import { remoteDamage } from './remote.ts'
import type { Remote } from './remote.ts'
import type { Keys } from './signature.ts'
import { readEntry, writeEntry } from './signed.ts'
import { download, upload } from './transfer.ts'

/** What the transfers of one command share. */
export interface Channel {
  readonly remote: Remote
  readonly signal: AbortSignal
  readonly keys: Keys
  /** Bounds the transfers at once, those of all results together. */
  readonly limit: <T>(transfer: () => Promise<T>) => Promise<T>
  /** Objects that arrived otherwise than they are named: they are written anew when they are pushed. */
  readonly wrong: Set<Digest>
}

/** What the remote says of a result; undefined where it has none. Throws Failure REMOTE_DAMAGED, REMOTE_UNTRUSTED. */
export async function findResult(channel: Channel, place: ResultPlace): Promise<ResultEntry | undefined> {
  const name = entryName(place)
  const text = await readEntry(channel, name)
  if (text === undefined) return undefined
  const entry = parseEntry(text, place.key)
  if (entry === undefined) throw remoteDamage(channel.remote.address, name, 'is not whole, or of another key.')
  return entry
}

/**
 * Fetches a result into the store, whole or not at all; undefined where the remote has none. Who calls holds the key's
 * lock, and knows that the store has none. Throws Failure REMOTE_DAMAGED for what is missing or wrong, REMOTE_UNTRUSTED
 * for what no trusted key signed, LINKS_MISSING.
 */
export async function fetchResult(channel: Channel, store: Store, place: ResultPlace): Promise<Manifest | undefined> {
  const entry = await findResult(channel, place)
  if (entry === undefined) return undefined
  const work = store.begin(place.stage, place.key)
  try {
    await fetchFiles(channel, entry, work)
    await assertWhole(channel, store, entry, place, work)
    const first = await store.publish(work, place.stage, entry.manifest)
    if (first !== undefined) {
      store.discard(work)
      return first
    }
  } catch (error) {
    store.discard(work)
    throw error
  }
  store.dropCheckpoint(place.stage, place.key)
  return entry.manifest
}

async function fetchFiles(
  channel: Channel,
  { manifest, folders, links }: ResultEntry,
  { result }: Work,
): Promise<void> {
  const paths = [...manifest.files, ...links].map(({ path }) => dirname(path))
  for (const folder of [...folders, ...paths]) mkdirSync(join(result, folder), { recursive: true })
  await allOf(channel, [...byContent(manifest).values()], async ([file, ...copies], { remote, limit, signal }) => {
    const to = { path: join(result, file!.path), mode: file!.mode | 0o200 }
    await limit(() => download(remote, file!, to, signal)).catch((error: unknown) => {
      if (isDamage(error)) channel.wrong.add(file!.sha256)
      throw error
    })
    for (const copy of copies) {
      copyFileSync(to.path, join(result, copy.path), constants.COPYFILE_FICLONE)
      chmodSync(join(result, copy.path), copy.mode | 0o200)
    }
  })
  // the last, so that nothing is written through one
  for (const link of links) makeLink(result, link)
}

/**
 * A link within an output is a part of its content: a copy, or a text with the path as `artifacts/STAGE` has, would give it
 * another digest, and who reads it something else. Throws Failure LINKS_MISSING where the disk has no links.
 */
function makeLink(result: string, { path, target }: ResultEntry['links'][number]): void {
  try {
    symlinkSync(relative(dirname(path), target) || '.', join(result, path))
  } catch (error) {
    if (!isWithoutLinks(error)) throw error
    const message = `The result has a link, "${path}", and the disk that the store is on has none.`
    throw new Failure('LINKS_MISSING', message, { exitCode: 1 })
  }
}

/** Files of equal content, which go once. */
function byContent({ files }: Manifest): Map<Digest, Manifest['files'][number][]> {
  const equal = new Map<Digest, Manifest['files'][number][]>()
  for (const file of files) equal.set(file.sha256, [...(equal.get(file.sha256) ?? []), file])
  return equal
}

const isDamage = (error: unknown): boolean => error instanceof Failure && error.code === 'REMOTE_DAMAGED'

/** Names, links, empty folders and execute bits too: what is published has the digests of its manifest. */
async function assertWhole(
  { remote }: Channel,
  store: Store,
  { manifest }: ResultEntry,
  place: ResultPlace,
  work: Work,
): Promise<void> {
  // what the entry describes wrongly the remote has wrong, not who made the result
  const sealed = await store.seal(work, manifest.record.out).catch((error: unknown) => {
    throw error instanceof Failure
      ? remoteDamage(remote.address, entryName(place), `is wrong: ${error.message}`)
      : error
  })
  const wrong = Object.keys(manifest.outputs).find(
    (name) => sealed.outputs[name]?.digest !== manifest.outputs[name]?.digest,
  )
  if (wrong === undefined) return
  throw remoteDamage(remote.address, entryName(place), `does not describe its output "${wrong}" as it was made.`)
}

export interface Pushed {
  /** Objects that were not there. */
  readonly objects: number
  readonly bytes: number
}

/** Pushes a result that is in the store: its files first, what says that it is there last. */
export async function pushResult(
  channel: Channel,
  store: Store,
  place: ResultPlace,
  manifest: Manifest,
): Promise<Pushed> {
  const folder = store.folder(place.stage, place.key)
  const pushed = await pushFiles(
    channel,
    [...byContent(manifest).values()].map(([file]) => ({ ...file!, from: join(folder, file!.path) })),
  )
  const text = entryText(makeEntry(folder, manifest))
  await writeEntry(channel, entryName(place), text)
  return pushed
}

/** Pushes the contents of files, those that are not there. */
export async function pushFiles(
  channel: Channel,
  files: readonly (Expected & { readonly from: string })[],
): Promise<Pushed> {
  const sent: number[] = []
  await allOf(channel, files, async (file, { remote, limit, signal, wrong }) => {
    if (await limit(() => upload(remote, file.from, file, signal, wrong.has(file.sha256)))) sent.push(file.size)
    wrong.delete(file.sha256)
  })
  return { objects: sent.length, bytes: sent.reduce((sum, size) => sum + size, 0) }
}

/** Waits for all; the first that fails ends the others, so that nothing goes on behind the failure. */
export async function allOf<T>(
  channel: Channel,
  items: readonly T[],
  act: (item: T, channel: Channel) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const signal = AbortSignal.any([channel.signal, stop.signal])
  const limit: Channel['limit'] = (transfer) =>
    channel.limit(() => {
      signal.throwIfAborted()
      return transfer()
    })
  const failed: unknown[] = []
  const acts = items.map((item) =>
    act(item, { ...channel, signal, limit }).catch((error: unknown) => {
      failed.push(error)
      stop.abort()
    }),
  )
  await Promise.all(acts)
  if (failed.length > 0) throw failed[0]
}
