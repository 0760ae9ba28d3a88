import { createHash } from 'node:crypto'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readSync,
  renameSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Failure } from '../../util/failure.ts'
import type { JsonObject } from '../../util/json.ts'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'
import { sha256 } from '../canonical.ts'
import { CHUNK } from '../digest.ts'
import { BUNDLES, readExperiment, recordFolders } from '../experiment.ts'
import type { ExperimentRecord } from '../experiment.ts'
import { shortened } from '../file-names.ts'
import { remove, token, writeAtomic } from '../files.ts'
import { readManifest } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import { upstream } from '../prepare.ts'
import type { Store } from '../store.ts'
import { crateOf } from './crate.ts'
import type { CrateFile } from './crate.ts'
import { statementOf } from './statement.ts'
import type { Subject } from './statement.ts'

/** Bytes of a file's name, without its ending. */
const MOST_NAME = 100
const METADATA = 'ro-crate-metadata.json'

/**
 * Writes an experiment's record, code, metrics and page to a new folder as an RO-Crate, with an in-toto statement for the
 * result of each stage; whole or not at all. Gives the files' paths. Error: EXPERIMENT_…, RESULT_MISSING, FOLDER_EXISTS.
 */
export function writeCrate(root: string, store: Store, prefix: string, to: string): Result<string[], Failure> {
  const found = readExperiment(root, prefix)
  if (!found.ok) return found
  if (existsSync(to)) return err(new Failure('FOLDER_EXISTS', `"${to}" is there already. Name a folder that is not.`))
  const { record } = found.value
  const draft = join(dirname(to), `.${basename(to)}-${token()}`)
  try {
    copyRecord(root, record, draft)
    const missing = writeStatements(store, record, draft)
    if (missing !== undefined) return err(missing)
    const metadata = crateOf(record, filesOf(draft), stagesOf(record, draft), aboutOf(root))
    writeAtomic(join(draft, METADATA), `${JSON.stringify(metadata, null, 2)}\n`)
    renameSync(draft, to)
    return ok(filesBelow(to))
  } finally {
    remove(draft)
  }
}

function copyRecord(root: string, { hash }: ExperimentRecord, draft: string): void {
  mkdirSync(draft, { recursive: true })
  for (const name of ['record.json', 'metrics.jsonl', 'report.html', BUNDLES]) {
    const from = recordFolders(root, hash)
      .map((folder) => join(folder, name))
      .find(existsSync)
    if (from !== undefined) cpSync(from, join(draft, name), { recursive: true })
  }
}

const statementFile = (stage: string): string =>
  `provenance/${shortened(encodeURIComponent(stage).replaceAll('*', '%2A'), MOST_NAME)}.intoto.json`

/** The failure of the first stage whose result is not in the store. */
function writeStatements(store: Store, record: ExperimentRecord, draft: string): Failure | undefined {
  for (const [name, stage] of Object.entries(record.stages)) {
    const folder = store.folder(name.replace(/\[.*/s, ''), stage.key)
    const manifest = readManifest(folder, stage.key)
    if (manifest === undefined) return missing(name, record.hash)
    const statement = statementOf(name, stage, manifest, subjectsOf(folder, manifest))
    writeAtomic(join(draft, statementFile(name)), `${JSON.stringify(statement, null, 2)}\n`)
  }
  return undefined
}

function missing(stage: string, hash: string): Failure {
  const message = `The result of "${stage}" of experiment ${hash.slice(0, 16)} is not in the store, so that its files cannot be told. Run its pipeline again, or fetch it.`
  return new Failure('RESULT_MISSING', message)
}

/** A manifest has another digest of a large file, which is hashed once more: others know its plain one alone. */
const subjectsOf = (folder: string, { files }: Manifest): Subject[] =>
  files.map(({ path, size, sha256: known }) => ({
    path,
    sha256: size <= CHUNK ? known : plainSha256(join(folder, path)),
  }))

function plainSha256(file: string): string {
  const [hash, buffer, fd] = [createHash('sha256'), Buffer.allocUnsafe(1 << 20), openSync(file, 'r')]
  try {
    for (let read = 1; read > 0;) {
      read = readSync(fd, buffer)
      hash.update(buffer.subarray(0, read))
    }
    return hash.digest('hex')
  } finally {
    closeSync(fd)
  }
}

const TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  jsonl: 'application/jsonl',
  html: 'text/html',
  gz: 'application/gzip',
}

const NAMES: Readonly<Record<string, string>> = {
  'record.json': 'Record of the experiment',
  'metrics.jsonl': 'Metrics of every training, and of the whole',
  'report.html': 'Report',
}

const filesOf = (draft: string): CrateFile[] =>
  filesBelow(draft).map((path) => {
    const bytes = readFileSync(join(draft, path))
    const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
    return { path, size: bytes.length, sha256: sha256(bytes), type, name: NAMES[path] ?? basename(path) }
  })

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()

const stagesOf = (record: ExperimentRecord, draft: string): Parameters<typeof crateOf>[2] =>
  Object.entries(record.stages).map(([name, { code, stage }]) => {
    const bundle = `${BUNDLES}/${code}.mjs.gz`
    const reads = stage === undefined ? [] : upstream(stage)
    return {
      name,
      code: existsSync(join(draft, bundle)) ? bundle : undefined,
      statement: statementFile(name),
      reads: [...new Set(reads)].map(statementFile),
    }
  })

function aboutOf(root: string): Parameters<typeof crateOf>[3] {
  const file = join(root, 'package.json')
  const { name, license } = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as JsonObject) : {}
  return {
    name: typeof name === 'string' ? name : basename(root),
    license: typeof license === 'string' ? license : undefined,
  }
}
