import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeFolder, syncFile, syncFolder } from '../util/durable.ts'
import { errorCode } from '../util/error-code.ts'
import { Failure } from '../util/failure.ts'
import { holdersOf, tryAcquire } from '../util/lock.ts'
import { freeze } from './freeze.ts'
import { moveAside, readJson, remove, token, writeAtomic } from './files.ts'
import type { Digest } from './canonical.ts'
import { LOG, MANIFEST, manifestText, readManifest } from './manifest.ts'
import type { Manifest, OutputRecord } from './manifest.ts'
import { placeResult, shows } from './place-result.ts'
import type { Presence } from './presence.ts'
import { storeFailure } from './store-failure.ts'
import type { StatCache } from './stat-cache.ts'
import type { FileDigest } from './stat-cache.ts'
import { carryTryLogs, isTryLog } from './try-logs.ts'
import { walk } from './walk.ts'

export type Found =
  | { readonly state: 'whole'; readonly manifest: Manifest }
  | { readonly state: 'absent' }
  /** Something is there that is not what was published. */
  | { readonly state: 'damaged'; readonly what: string; readonly manifest: Manifest | undefined }

export interface ResultPlace {
  readonly stage: string
  readonly key: Digest
}

/** A result in the making, in the store beside its place. */
export interface Work {
  readonly folder: string
  /** Becomes the result folder. */
  readonly result: string
  /** The stage's working folder, thrown away. */
  readonly scratch: string
}

/** Longer than the tick of the clock that stamps files, see StatCache. */
const TICK_MS = 25
/** Outputs up to this size are read once more by whom they concern next, which takes less than the tick. */
const SMALL_BYTES = 1024 * 1024

/** `artifacts/store/<stage>/<key>/`: one folder per result, there whole or not at all. */
export class Store {
  readonly root: string
  readonly #stats: StatCache
  #presence: Presence | undefined

  constructor(artifacts: string, stats: StatCache) {
    this.root = join(artifacts, 'store')
    this.#stats = stats
  }

  /** The store as a run found it; from now on it is held against that, and dated by its own clock. */
  beginUse(presence: Presence): void {
    this.#presence = presence
  }

  /** Throws Failure STORE_MISSING where the run's store is gone, so that none is made in its mount's empty folder. */
  assertThere(): void {
    this.#presence?.assert()
  }

  stageFolder(stage: string): string {
    return join(this.root, stage)
  }

  folder(stage: string, key: string): string {
    return join(this.root, stage, key)
  }

  /** Every result that is there, whole or not, sorted. */
  places(): ResultPlace[] {
    return this.stages().flatMap((stage) =>
      readdirSync(this.stageFolder(stage))
        .filter(isKey)
        .sort()
        .map((key) => ({ stage, key: key as Digest })),
    )
  }

  /** Names of the stages that have a folder of results, sorted. */
  stages(): string[] {
    if (!existsSync(this.root)) return []
    const entries = readdirSync(this.root, { withFileTypes: true })
    return entries.flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith('.') ? entry.name : [])).sort()
  }

  /**
   * Notes that a result is used now, in the modification time of its folder, which is no part of its content. False
   * where there is none.
   */
  use(stage: string, key: Digest): boolean {
    const now = new Date(this.#presence?.now() ?? Date.now())
    try {
      utimesSync(this.folder(stage, key), now, now)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false
      storeFailure(error, 'a result was marked as used') // a store that cannot be written loses nothing by gc either
    }
    return true
  }

  /** When it was last made or used, in ms since 1970; undefined where there is none. */
  usedAt(stage: string, key: Digest): number | undefined {
    return statSync(this.folder(stage, key), { throwIfNoEntry: false })?.mtimeMs
  }

  /** Makes of anything of a key's, in one step, what a killed run leaves; gives where it is then. Who holds the lock may. */
  abandon(stage: string, key: Digest, path = this.folder(stage, key)): string {
    const gone = join(this.stageFolder(stage), `.tmp-${key}-${token()}`)
    renameSync(path, gone)
    return gone
  }

  /** Of a result that is there; whether its files are whole is not looked at. */
  manifest(stage: string, key: Digest): Manifest | undefined {
    return readManifest(this.folder(stage, key), key)
  }

  /** Looks a result up and holds its files against its manifest; reads only what changed since the last look. */
  async find(stage: string, key: Digest): Promise<Found> {
    const folder = this.folder(stage, key)
    if (!existsSync(folder)) return { state: 'absent' }
    const manifest = readManifest(folder, key)
    if (manifest === undefined) return { state: 'damaged', what: `"${MANIFEST}" is missing or not whole`, manifest }
    for (const output of Object.values(manifest.outputs)) {
      const what = await this.#damage(join(folder, output.file), output)
      if (what !== undefined) return { state: 'damaged', what, manifest }
    }
    return { state: 'whole', manifest }
  }

  /**
   * The same for who holds the key's lock: what another machine has just published, a network file system may list and
   * not yet find. Waited for, as to make it again costs more.
   */
  async findLate(stage: string, key: Digest): Promise<Found> {
    const found = await this.find(stage, key)
    if (found.state !== 'absent' || !(await shows(this.stageFolder(stage), key))) return found
    return this.find(stage, key)
  }

  async #damage(path: string, output: OutputRecord): Promise<string | undefined> {
    try {
      const { digest } = await this.#stats.tree(path, 'refuse')
      return digest === output.digest ? undefined : `"${output.file}" is not what was published`
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return `"${output.file}": ${error.message}`
    }
  }

  /** All whole manifests of a stage, newest first. */
  manifests(stage: string): Manifest[] {
    const folder = this.stageFolder(stage)
    const keys = existsSync(folder) ? readdirSync(folder).filter(isKey) : []
    const manifests = keys.flatMap((key) => readManifest(join(folder, key), key) ?? [])
    return manifests.sort((a, b) => (a.ran.at < b.ran.at ? 1 : -1))
  }

  /**
   * Begins a result; whoever holds the key's lock may clear away what a killed run of it left. Not what another holder
   * is making, whom we may not have seen when we took the lock.
   */
  begin(stage: string, key: Digest): Work {
    this.assertThere()
    const parent = this.stageFolder(stage)
    makeFolder(parent)
    const { own, others } = holdersOf(parent, key)
    this.#clear(
      parent,
      (name) => name.startsWith(`.tmp-${key}-`) && !others.some((other) => name.endsWith(`-${other}`)),
    )
    const failed = join(parent, `.failed-${key}`)
    // what is made anew may need its room
    if (existsSync(failed)) this.#clear(failed, (name) => name !== LOG && !isTryLog(name))
    const folder = join(parent, `.tmp-${key}-${token()}-${own ?? 'nobody'}`)
    const work = { folder, result: join(folder, 'result'), scratch: join(folder, 'scratch') }
    mkdirSync(work.result, { recursive: true })
    mkdirSync(work.scratch)
    carryTryLogs(failed, work.result)
    remove(failed)
    return work
  }

  /** Hashes the outputs of a finished stage. Throws the Failure of an output that is missing or cannot stand alone. */
  async seal(work: Work, out: Readonly<Record<string, string>>): Promise<Pick<Manifest, 'outputs' | 'files'>> {
    const bytes = Object.values(out).reduce((sum, file) => sum + freeze(join(work.result, file)), 0)
    if (bytes > SMALL_BYTES) await delay(TICK_MS)
    const outputs: Record<string, OutputRecord> = {}
    const files: FileDigest[] = []
    for (const [name, file] of Object.entries(out)) {
      const tree = await this.#stats.files(join(work.result, file), 'refuse')
      outputs[name] = { file, digest: tree.digest }
      files.push(...tree.files.map((one) => ({ ...one, path: one.path === '' ? file : `${file}/${one.path}` })))
    }
    return { outputs, files }
  }

  /**
   * Publishes: contents and manifest on disk first, each flushed once, then the one rename that makes it a result. Where
   * another machine was first, its manifest is given, and nothing published.
   */
  async publish(work: Work, stage: string, manifest: Manifest): Promise<Manifest | undefined> {
    writeAtomic(join(work.result, MANIFEST), manifestText(manifest), false)
    chmodSync(join(work.result, MANIFEST), 0o444)
    syncTree(work.result)
    const first = await placeResult(work.result, this.folder(stage, manifest.key), manifest, () =>
      this.retire(stage, manifest.key),
    )
    if (first !== undefined) return first
    syncFolder(this.stageFolder(stage))
    this.discard(work)
    return undefined
  }

  discard(work: Work): void {
    remove(work.folder)
  }

  /** Frees the room that the outputs of a failed stage take; its log stays. */
  dropOutputs(work: Work, out: Readonly<Record<string, string>>): void {
    for (const file of Object.values(out)) remove(join(work.result, file))
  }

  /** Keeps what a failed stage had made, for a look; the last failure of a key replaces the one before. */
  setAside(work: Work, stage: string, key: Digest): string {
    const target = join(this.stageFolder(stage), `.failed-${key}`)
    remove(target)
    renameSync(work.result, target)
    this.discard(work)
    return target
  }

  /** Takes a damaged result out of the way and gives where it went. */
  retire(stage: string, key: Digest): string {
    return moveAside(this.folder(stage, key), join(this.root, '.aside'), `${stage}-${key.slice(0, 12)}`)
  }

  /** The folder that outlives a killed run of this key. One that was made for another key is moved away. */
  checkpoint(stage: string, key: Digest): { readonly folder: string; readonly refused: string | undefined } {
    this.assertThere()
    const parent = join(this.stageFolder(stage), `.checkpoint-${key}`)
    const owner = join(parent, 'key.json')
    // no owner and no files: its making was cut short
    const foreign = readJson(owner) !== key && (existsSync(owner) || hasEntries(join(parent, 'files')))
    const refused = foreign ? moveAside(parent, join(this.root, '.aside'), `${stage}-checkpoint`) : undefined
    if (readJson(owner) !== key) writeAtomic(owner, JSON.stringify(key))
    const folder = join(parent, 'files')
    makeFolder(folder)
    return { folder, refused }
  }

  dropCheckpoint(stage: string, key: Digest): void {
    remove(join(this.stageFolder(stage), `.checkpoint-${key}`))
  }

  /** Clears what a run killed between publishing and tidying left; not while another holds the key's lock. */
  tidy(stage: string, key: Digest): void {
    const parent = this.stageFolder(stage)
    const left = readdirSync(parent).some(
      (name) => name.startsWith('.') && name.includes(key) && !/^\.(failed|extend)-/.test(name),
    )
    const lock = left ? tryAcquire(parent, key) : undefined
    if (lock === undefined) return
    this.#clear(parent, (name) => name.startsWith(`.tmp-${key}-`))
    this.dropCheckpoint(stage, key)
    lock.release()
  }

  #clear(parent: string, isLeft: (name: string) => boolean): void {
    for (const name of readdirSync(parent)) if (isLeft(name)) remove(join(parent, name))
  }
}

export const isKey = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

function syncTree(folder: string): void {
  for (const entry of walk(folder, 'refuse')) {
    if (entry.kind === 'file') syncFile(entry.absolute)
    if (entry.kind === 'folder') syncFolder(join(folder, entry.path))
  }
}

const hasEntries = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0
