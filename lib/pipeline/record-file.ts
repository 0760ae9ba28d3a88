import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { ExperimentRecord } from './experiment.ts'
import { readJson, writeAtomic } from './files.ts'
import type { StatCache } from './stat-cache.ts'

export const RECORD = 'record.json'

/** What is in the file beside the record itself; one of an earlier version has neither. */
interface Sealing {
  /** Digests of the files that lie beside it, by path relative to its folder. */
  readonly beside?: Readonly<Record<string, Digest>>
  /** The digest of all other text, so that a flipped bit is seen. */
  readonly seal?: Digest
}

/** Writes `record.json`; the files named lie beside it already. */
export function writeRecord(folder: string, record: ExperimentRecord, files: readonly string[]): void {
  const beside = Object.fromEntries(files.map((file) => [file, sha256(readFileSync(join(folder, file)))]))
  const body = { ...record, beside }
  const seal = sha256(JSON.stringify(body))
  writeAtomic(join(folder, RECORD), `${JSON.stringify({ ...body, seal }, null, 2)}\n`)
}

/** An experiment's record from the first of these folders where it is whole, else from the first where it is one at all. */
export function readRecord(folders: readonly string[]): ExperimentRecord | undefined {
  const found = folders.flatMap((folder) => readSealed(folder) ?? [])
  return (found.find(({ whole }) => whole) ?? found[0])?.record
}

/** Whether a folder has a record as it was written. */
export const hasWholeRecord = (folder: string): boolean => readSealed(folder)?.whole === true

/** Which of a recorded experiment's files are not what was written; `record.json` too where it was cut or changed. */
export function damagedFiles(folder: string, stats: StatCache): readonly string[] {
  const sealed = readSealed(folder)
  if (sealed?.whole !== true) return [RECORD]
  return Object.entries(sealed.beside).flatMap(([file, digest]) =>
    stats.file(join(folder, file)) === digest ? [] : [file],
  )
}

function readSealed(folder: string) {
  const json = readJson(join(folder, RECORD)) as unknown as (ExperimentRecord & Sealing) | null | undefined
  if (json?.version !== 1) return undefined
  const { seal, ...body } = json
  const { beside, ...record } = body
  const isOld = seal === undefined && beside === undefined
  return { record, beside: beside ?? {}, whole: isOld || sha256(JSON.stringify(body)) === seal }
}
