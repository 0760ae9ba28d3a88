import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { tryAcquire } from '../util/lock.ts'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { ChangedWhileRead, contentLine, hashFile } from './digest.ts'
import { MANIFEST, manifestDamage, readManifest } from './manifest.ts'
import type { Manifest, OutputRecord } from './manifest.ts'
import { storeFailure } from './store-failure.ts'
import type { ResultPlace, Store } from './store.ts'
import { walk } from './walk.ts'
import type { Entry } from './walk.ts'

/** One file, or one whole output, that is not what was published. */
export interface Damage {
  /** In the result's folder. */
  readonly path: string
  /** Null where nothing should be there, or where a lost manifest does not tell. */
  readonly expected: string | null
  /** Null where nothing is there that can be read. */
  readonly found: string | null
}

export interface DamagedResult extends ResultPlace {
  readonly damage: readonly Damage[]
  /** Where it was moved; null where a run that makes the same result has it. */
  readonly aside: string | null
}

export interface Verified {
  readonly results: number
  /** Bytes of content that were read. */
  readonly bytes: number
  readonly damaged: readonly DamagedResult[]
}

/**
 * Reads every file of every result again and holds it against its manifest; moves the damaged results aside, so that
 * the next run makes them anew.
 */
export function verifyStore(store: Store): Verified {
  let bytes = 0
  const onRead = (count: number): void => void (bytes += count)
  const places = store.places()
  const damaged = places.flatMap((place) => {
    const suspected = damageOf(store, place, onRead)
    return suspected.length === 0 ? [] : retire(store, place, suspected, onRead)
  })
  return { results: places.length, bytes, damaged }
}

type OnRead = (bytes: number) => void

/** Looks once more under the key's lock: gc may have taken the result while it was read, or a run made it anew. */
function retire(store: Store, place: ResultPlace, suspected: readonly Damage[], onRead: OnRead): DamagedResult[] {
  const { stage, key } = place
  const lock = tryAcquire(store.stageFolder(stage), key)
  if (lock === undefined) return [{ ...place, damage: suspected, aside: null }]
  try {
    const damage = damageOf(store, place, onRead)
    return damage.length === 0 ? [] : [{ ...place, damage, aside: store.retire(stage, key) }]
  } catch (error) {
    throw storeFailure(error, `a damaged result of "${stage}" was moved aside`)
  } finally {
    lock.release()
  }
}

function damageOf(store: Store, { stage, key }: ResultPlace, onRead: OnRead): Damage[] {
  const folder = store.folder(stage, key)
  if (!existsSync(folder)) return []
  const manifest = readManifest(folder, key)
  if (manifest === undefined) return [{ path: MANIFEST, ...manifestDamage(folder, key) }]
  return Object.values(manifest.outputs).flatMap((output) => damageOfOutput(folder, manifest, output, onRead))
}

function damageOfOutput(folder: string, manifest: Manifest, output: OutputRecord, onRead: OnRead): Damage[] {
  const files = manifest.files.filter(({ path }) => path === output.file || path.startsWith(`${output.file}/`))
  const expected = new Map(files.map(({ path, sha256 }) => [path, sha256]))
  const entries = entriesOf(join(folder, output.file))
  const found = new Map<string, Digest | undefined>()
  for (const entry of entries ?? []) {
    if (entry.kind === 'file') found.set(placeOf(output, entry), hashOf(entry, onRead))
  }
  const paths = [...new Set([...expected.keys(), ...found.keys()])]
  const damage = paths.flatMap((path): Damage[] => {
    const [want, is] = [expected.get(path) ?? null, found.get(path) ?? null]
    return want === is && is !== null ? [] : [{ path, expected: want, found: is }]
  })
  if (damage.length > 0) return damage
  // names, links, empty folders and the execute bits
  const lines = entries?.map((entry) => contentLine(entry, found.get(placeOf(output, entry))))
  const digest = lines === undefined ? null : sha256(lines.join(''))
  return digest === output.digest ? [] : [{ path: output.file, expected: output.digest, found: digest }]
}

const placeOf = (output: OutputRecord, { path }: Entry): string =>
  path === '' ? output.file : `${output.file}/${path}`

/** Undefined where the output is gone, or holds what no result may. */
function entriesOf(path: string): readonly Entry[] | undefined {
  try {
    return walk(path, 'refuse')
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** Undefined for a file that cannot be read, or that changes under the reader. */
function hashOf(entry: Extract<Entry, { kind: 'file' }>, onRead: OnRead): Digest | undefined {
  try {
    return hashFile(entry.absolute, entry.stat, onRead)
  } catch (error) {
    if (error instanceof Failure || error instanceof ChangedWhileRead) return undefined
    throw error
  }
}
