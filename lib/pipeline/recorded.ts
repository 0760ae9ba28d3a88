import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { findBuiltin } from './builtin.ts'
import { bundleFile } from './bundle.ts'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { sortStages } from './dag.ts'
import { BUNDLES, recordFolders } from './experiment.ts'
import type { ExperimentRecord, StageRecord } from './experiment.ts'
import { writeAtomic } from './files.ts'
import { commandDigest } from './identify.ts'
import type { Identity } from './identify.ts'
import { envIdentity } from './key.ts'
import type { Input, Pipeline, Stage } from './pipeline.ts'
import { Problems } from './problems.ts'
import type { Project } from './project.ts'
import { isPackaged, moduleFile } from './stage-package.ts'
import type { StatCache } from './stat-cache.ts'

/** Error RECORD_OLD for a record that does not say how its stages are run. */
export function assertRunnable(root: string, { hash, stages }: ExperimentRecord): Result<void, Failure> {
  return Object.values(stages).every(({ stage }) => stage !== undefined) ? ok(undefined) : err(tooOld(root, hash))
}

/**
 * The pipeline of an experiment as it was recorded, whatever pipeline.yaml says now; its metrics and page are not made.
 * `at` says where a recorded path leads.
 */
export function recordedPipeline(root: string, record: ExperimentRecord, at: (path: string) => string): Pipeline {
  const { files, params, resolved } = record
  const stages = Object.entries(record.stages).map(([id, recorded]) => recordedStage(id, recorded, at))
  // JSON moves names that are numbers to the front
  const sorted = sortStages(stages, circular, new Problems())
  const none = { metrics: undefined, page: undefined, remote: undefined, trust: undefined }
  return { root, files, params, resolved, stages: sorted, ...none }
}

function circular({ id }: Stage): never {
  throw new Error(`Internal error: the recorded stage "${id}" reads what it makes`)
}

function recordedStage(id: string, recorded: StageRecord, at: (path: string) => string): Stage {
  const stage = recorded.stage!
  const inputs = Object.entries(stage.in).map(([name, input]) => [name, inputAt(input, at)] as const)
  // a record from before there were retries
  const retries = (stage as Partial<typeof stage>).retries ?? { times: 0, backoffSeconds: 0 }
  return { ...stage, retries, id, with: recorded.with, in: Object.fromEntries(inputs), places: () => ({}) }
}

const inputAt = (input: Input, at: (path: string) => string): Input =>
  input.kind === 'path' ? { kind: 'path', path: at(input.path) } : input

/** What comes with the package lies where the package lies here. */
export function pathHere(path: string): string {
  const name = /[\\/]lib[\\/]data[\\/]builtin[\\/]([^\\/]+)$/.exec(path)?.[1]
  const found = name === undefined ? undefined : findBuiltin(name, 'anything')
  return found?.ok === true ? found.value : path
}

function tooOld(root: string, hash: string): Failure {
  const file = join(recordFolders(root, hash)[0], 'record.json')
  const advice = `Remove "${file}" and run its pipeline again, which records it anew from the results that are there.`
  return new Failure('RECORD_OLD', `The record of ${hash.slice(0, 16)} does not say how its stages are run. ${advice}`)
}

/** Identities of the stages of an experiment: the recorded code, laid into the cache from where its packages resolve. */
export function recordedIdentities(
  root: string,
  record: ExperimentRecord,
  stages: readonly Stage[],
  project: Project,
  stats: StatCache,
): Result<ReadonlyMap<string, Identity>, Failure[]> {
  const codes = Object.values(record.stages).filter(({ stage }) => stage?.program.kind === 'module')
  const digests = new Set(codes.flatMap(({ code, workers }) => [code, ...workers]))
  const failures = [...digests].flatMap((digest) => layBundle(root, record.hash, digest, project, stats) ?? [])
  if (failures.length > 0) return err(failures)
  return ok(new Map(stages.map((stage) => [stage.id, identityOf(stage, record.stages[stage.id]!, project)])))
}

function identityOf(stage: Stage, { code, workers, packages, with: parameters }: StageRecord, project: Project) {
  const known = { with: parameters, env: envIdentity(stage.env, process.env), packages, extend: [] }
  if (stage.program.kind === 'command') return { ...known, code: commandDigest(stage.program.argv), bundle: undefined }
  const { file } = stage.program
  const from = isPackaged(file) ? moduleFile(project.folder, file) : ''
  const bundle = { digest: code, file: bundleFile(project, code), from, workers, packages, sources: {} }
  return { ...known, code, bundle }
}

function layBundle(
  root: string,
  hash: string,
  digest: Digest,
  project: Project,
  stats: StatCache,
): Failure | undefined {
  const file = bundleFile(project, digest)
  if (stats.file(file) === digest) return undefined
  const names = recordFolders(root, hash).map((folder) => join(folder, BUNDLES, `${digest}.mjs.gz`))
  for (const name of names) {
    const bytes = unpacked(name)
    if (bytes === undefined || sha256(bytes) !== digest) continue
    writeAtomic(file, bytes, false)
    return undefined
  }
  const where = names.map((name) => `"${name}"`).join(' or ')
  return new Failure(
    'BUNDLE_DAMAGED',
    `The recorded code ${digest} was expected in ${where}; it is not there, or not whole.`,
  )
}

function unpacked(file: string): Uint8Array | undefined {
  try {
    return gunzipSync(readFileSync(file))
  } catch {
    return undefined // missing, or no whole gzip
  }
}
