import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { TAGS, readListed, recordFolders, recordedHashes } from '../pipeline/experiment.ts'
import type { ExperimentRecord, ListedExperiment } from '../pipeline/experiment.ts'
import { differingParameters, fieldsOf, isMetric, rowOf, tellingFirst } from '../pipeline/fields.ts'
import type { Row } from '../pipeline/fields.ts'
import type { Json } from '../util/json.ts'

/** What is kept of each experiment in memory: ten thousand whole records would not fit. */
export interface Kept extends Pick<ListedExperiment, 'tags' | 'pinned'> {
  readonly record: Pick<ExperimentRecord, 'hash' | 'at' | 'params'>
}

interface Entry {
  readonly stamp: string
  readonly row: Row<Kept> | undefined
}

/** What stands in the table before anyone chose. */
const MOST_DEFAULTS = 9
/** Records that are read before others may be answered. */
const BATCH = 20

/** All experiments of a folder, newest first; each record is read again only when it has changed. */
export class Records {
  readonly #root: string
  readonly #entries = new Map<string, Entry>()
  readonly #texts = new Map<string, string>()
  readonly #values = new Map<string, readonly Json[]>()
  #rows: readonly Row<Kept>[] = []
  #fields: readonly string[] = []
  #defaults: readonly string[] = []
  #refreshing: Promise<void> | undefined
  /** Grows with each change. */
  version = 0
  /** Of the first reading; undefined when it is done. */
  reading: { done: number; total: number } | undefined = { done: 0, total: 0 }

  constructor(root: string) {
    this.#root = root
  }

  get rows(): readonly Row<Kept>[] {
    return this.#rows
  }

  get fields(): readonly string[] {
    return this.#fields
  }

  /** The columns of who has chosen none: parameters in which experiments differ, then metrics. */
  get defaults(): readonly string[] {
    return this.#defaults
  }

  /** Looks what has changed; who asks meanwhile waits for the same look. */
  refresh(): Promise<void> {
    return (this.#refreshing ??= this.#look().finally(() => (this.#refreshing = undefined)))
  }

  async #look(): Promise<void> {
    const hashes = recordedHashes(this.#root)
    if (this.reading) this.reading.total = hashes.length
    let changed = this.#forget(new Set(hashes))
    for (const [index, hash] of hashes.entries()) {
      const stamp = this.#stamp(hash)
      if (this.#entries.get(hash)?.stamp !== stamp) {
        this.#entries.set(hash, { stamp, row: this.#read(hash) })
        changed = true
      }
      if (this.reading) this.reading.done = index + 1
      if (index % BATCH === BATCH - 1) await setImmediate()
    }
    if (changed) this.#publish()
    this.reading = undefined
  }

  #publish(): void {
    const rows = [...this.#entries.values()].flatMap(({ row }) => row ?? [])
    this.#rows = rows.sort((a, b) => (a.experiment.record.at < b.experiment.record.at ? 1 : -1))
    this.#fields = fieldsOf(rows)
    const metrics = this.#fields.filter((field) => isMetric(field) && rows.some(({ values }) => isPlain(values, field)))
    const differing = differingParameters(rows, this.#fields).filter((field) =>
      rows.every(({ values }) => isBrief(values, field)),
    )
    this.#defaults = [...differing.slice(0, MOST_DEFAULTS - 4), ...tellingFirst(metrics, rows)].slice(0, MOST_DEFAULTS)
    this.version++
  }

  /** True if any was forgotten. */
  #forget(there: ReadonlySet<string>): boolean {
    const gone = [...this.#entries.keys()].filter((hash) => !there.has(hash))
    for (const hash of gone) this.#entries.delete(hash)
    return gone.length > 0
  }

  /** Records are renamed into their folder, and tags are files in one of their own: both show in a folder's time. */
  #stamp(hash: string): string {
    const folders = recordFolders(this.#root, hash).flatMap((folder) => [folder, join(folder, TAGS)])
    return folders.map((folder) => statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? '-').join(' ')
  }

  #read(hash: string): Row<Kept> | undefined {
    const found = readListed(this.#root, hash)
    if (found === undefined) return undefined
    const { record, tags, pinned } = found
    const { at, params } = record
    const values = [...rowOf(found).values].map(([name, value]) => [this.#text(name), this.#value(value)] as const)
    return { experiment: { record: { hash: record.hash, at, params }, tags, pinned }, values: new Map(values) }
  }

  /** Ten thousand experiments have the same names, and mostly the same values: each is kept once. */
  #text(name: string): string {
    const known = this.#texts.get(name)
    if (known === undefined) this.#texts.set(name, name)
    return known ?? name
  }

  #value(value: readonly Json[]): readonly Json[] {
    const text = JSON.stringify(value)
    const known = this.#values.get(text)
    if (known === undefined) this.#values.set(text, value)
    return known ?? value
  }
}

function isPlain(values: ReadonlyMap<string, readonly Json[]>, field: string): boolean {
  const value = values.get(field)?.[0]
  return value !== undefined && (typeof value !== 'object' || value === null)
}

/** Fits a column: titles and lists of texts do not. */
const isBrief = (values: ReadonlyMap<string, readonly Json[]>, field: string): boolean =>
  JSON.stringify(values.get(field)?.[0] ?? null).length <= 24
