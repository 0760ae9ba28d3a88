import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Failure } from '../util/failure.ts'
import type { JsonObject } from '../util/json.ts'
import { nearest } from '../util/nearest.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { bundleFile } from './bundle.ts'
import type { Digest } from './canonical.ts'
import { definitions } from './definition.ts'
import type { Event, Outcome, StageResult } from './event.ts'
import { remove, writeAtomic } from './files.ts'
import { metricLines } from './metric-lines.ts'
import { hasTolerances, keepOutputs } from './kept-outputs.ts'
import { outputPath } from './stage-inputs.ts'
import type { Manifest } from './manifest.ts'
import type { Stage } from './pipeline.ts'
import { artifactsOf, experimentsOf, sourcesOf } from './prepare.ts'
import type { Prepared, Settled } from './prepare.ts'
import { RECORD, damagedFiles, readRecord, writeRecord } from './record-file.ts'
import { gitState, machine } from './surroundings.ts'

export interface StageRecord {
  readonly key: Digest
  readonly definition: Digest
  readonly code: Digest
  readonly workers: readonly Digest[]
  readonly packages: Readonly<Record<string, string>>
  readonly with: JsonObject
  /** Output name to content digest. */
  readonly outputs: Readonly<Record<string, Digest>>
  /** What it takes to run it again; a record of an earlier version has none. */
  readonly stage?: RecordedStage
  /** How the last recorded run came by it. */
  readonly outcome: Outcome
  /** How long it took when it was made, wherever that was. */
  readonly seconds: number
  readonly device: string | null
  readonly engine: string
  readonly madeAt: string
}

/** A stage without what stands beside it in the record. */
export type RecordedStage = Omit<Stage, 'id' | 'with' | 'places' | 'piece'>

/** `artifacts/experiments/<hash>/record.json`. */
export interface ExperimentRecord {
  readonly version: 1
  readonly hash: Digest
  readonly at: string
  /** pipeline.yaml after all overlays, `${}` resolved. */
  readonly resolved: JsonObject
  readonly files: readonly string[]
  readonly params: JsonObject
  readonly stages: Readonly<Record<string, StageRecord>>
  readonly metrics: JsonObject
  readonly engine: string
  readonly git: { readonly commit: string | null; readonly dirty: boolean | null }
  readonly machine: JsonObject
  /** Digests of the inputs that no stage makes, by path as written. */
  readonly sources: Readonly<Record<string, Digest>>
  /** Digests of the modules' source files, by path in the project; absent in records from before they were kept. */
  readonly sourceFiles?: Readonly<Record<string, Digest>>
  /** Sources of the hub that name a branch or a tag, as written, to the same with its commit. */
  readonly revisions: Readonly<Record<string, string>>
}

/** Gives the page joined with what belongs to the run; `page` is the HTML of the stage that makes it. */
export type JoinReport = (page: string, record: ExperimentRecord) => string | Promise<string>

export interface Finished {
  readonly prepared: Prepared
  readonly hash: Digest
  readonly settled: ReadonlyMap<string, Settled>
  readonly manifests: ReadonlyMap<string, Manifest>
  readonly results: readonly StageResult[]
  readonly engine: string
  readonly metrics: JsonObject
  readonly joinReport: JoinReport | undefined
  readonly emit: (event: Event) => void
}

const PAGE = 'report.html'
export const METRICS = 'metrics.jsonl'
export const PINNED = 'pinned'
export const TAGS = 'tags'

/**
 * Records a run that came to its end, and gives the record. One in which nothing ran leaves an earlier whole record as
 * it is, and gives none.
 */
export async function writeExperiment(finished: Finished): Promise<ExperimentRecord | undefined> {
  const folder = experimentFolder(finished.prepared.artifacts, finished.hash)
  const { page } = finished.prepared.pipeline
  const hasPage = page !== undefined && finished.settled.has(page.stage) && finished.joinReport !== undefined
  const files = [METRICS, ...(hasPage ? [PAGE] : [])]
  const known = [RECORD, ...files].every((file) => existsSync(join(folder, file)))
  const judged = hasTolerances(join(folder, RECORD), finished.prepared.stages)
  const whole = mend(finished, folder)
  if (known && judged && whole && finished.results.every(({ outcome }) => outcome === 'fresh')) return undefined
  const record = await recordOf(finished)
  files.push(...writeBundles(finished, folder))
  keepOutputs(finished.prepared, finished.settled, folder)
  if (hasPage) {
    const html = readFileSync(outputPath(finished.prepared, page, finished.settled), 'utf8')
    writeAtomic(join(folder, PAGE), await finished.joinReport(html, record))
  }
  const { prepared, settled, metrics, emit } = finished
  writeAtomic(join(folder, METRICS), metricLines(prepared, settled, metrics, emit))
  writeRecord(folder, record, files)
  return record
}

/** Takes out of the way what of an earlier record was damaged, and says so; false where there was such. */
function mend({ prepared, hash, emit }: Finished, folder: string): boolean {
  if (!existsSync(join(folder, RECORD))) return true
  const damaged = damagedFiles(folder, prepared.stats)
  prepared.stats.save()
  if (damaged.length === 0) return true
  for (const file of damaged) remove(join(folder, file))
  const names = damaged.map((file) => `"${file}"`).join(', ')
  const message = `The record of experiment ${hash.slice(0, 16)} was damaged: ${names} is not what was written. It is written anew.`
  emit({ type: 'notice', stage: null, code: 'RECORD_DAMAGED', message })
  return false
}

const experimentFolder = (artifacts: string, hash: string): string => join(artifacts, 'experiments', hash)

/** Where an experiment of this pipeline may be recorded: by its own run, and by a pin that came with git. */
export const recordFolders = (root: string, hash: string): readonly [own: string, pinned: string] => [
  experimentFolder(artifactsOf(root), hash),
  join(root, 'experiments', hash),
]

export const BUNDLES = 'bundles'

async function recordOf(finished: Finished): Promise<ExperimentRecord> {
  const { prepared, results } = finished
  const defined = definitions(prepared)
  const stages = results.map(
    (result) => [result.name, stageRecord(finished, result, defined.get(result.name)!)] as const,
  )
  const { root, resolved, files, params } = prepared.pipeline
  return {
    version: 1,
    hash: finished.hash,
    at: new Date().toISOString(),
    resolved,
    files,
    params,
    stages: Object.fromEntries(stages),
    metrics: finished.metrics,
    engine: finished.engine,
    git: await gitState(root),
    machine: machine(),
    sources: Object.fromEntries(prepared.sources),
    sourceFiles: Object.fromEntries(prepared.stages.flatMap((stage) => Object.entries(sourcesOf(prepared, stage)))),
    revisions: Object.fromEntries(prepared.revisions),
  }
}

function stageRecord(finished: Finished, result: StageResult, definition: Digest): StageRecord {
  const manifest = finished.manifests.get(result.name)!
  const { device, engine, at, seconds } = manifest.ran
  return {
    key: manifest.key,
    definition,
    code: manifest.record.code,
    workers: finished.prepared.identities.get(result.name)!.bundle?.workers ?? [],
    packages: manifest.record.packages,
    with: manifest.record.with,
    outputs: finished.settled.get(result.name)!.outputs,
    stage: recordedStage(finished.prepared.byId.get(result.name)!),
    outcome: result.outcome,
    seconds,
    device,
    engine,
    madeAt: at,
  }
}

function recordedStage(stage: Stage): RecordedStage {
  const { name, cell, program, in: inputs, out, resources, env, timeoutSeconds, retries, tolerance = {}, place } = stage
  const asked = { resources, env, timeoutSeconds, retries, tolerance, shards: stage.shards }
  return { name, cell, program, in: inputs, out, ...asked, place }
}

/** Gives their paths, relative to the experiment's folder. */
function writeBundles({ prepared }: Finished, folder: string): string[] {
  const bundles = [...prepared.identities.values()].flatMap(({ bundle }) => bundle ?? [])
  const digests = new Set(bundles.flatMap(({ digest, workers }) => [digest, ...workers]))
  return [...digests].map((digest) => {
    const name = join(BUNDLES, `${digest}.mjs.gz`)
    const file = join(folder, name)
    if (!existsSync(file)) writeAtomic(file, gzipSync(readFileSync(bundleFile(prepared.project, digest))))
    return name
  })
}

export interface ListedExperiment {
  readonly record: ExperimentRecord
  readonly pinned: boolean
  /** Its names, sorted. */
  readonly tags: readonly string[]
  /** Absolute path of the joined page; null where the experiment has none. */
  readonly page: string | null
  /** Absolute path of its `metrics.jsonl`; null where it was recorded without. */
  readonly metricsFile: string | null
}

/** Hashes of which something is recorded, in no order. */
export function recordedHashes(root: string): string[] {
  const hashes = [experimentsOf(root), join(root, 'experiments')].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [],
  )
  return [...new Set(hashes)]
}

/** All recorded experiments, newest first: of this folder, and those that a pin brought with git. */
export function listExperiments(root: string): ListedExperiment[] {
  const found = recordedHashes(root).flatMap((hash) => readListed(root, hash) ?? [])
  return found.sort((a, b) => (a.record.at < b.record.at ? 1 : -1))
}

/** An experiment by its whole hash; undefined where its record is not there, or another's. */
export function readListed(root: string, hash: string): ListedExperiment | undefined {
  const [own, pinned] = recordFolders(root, hash)
  const record = readRecord([own, pinned])
  if (record?.hash !== hash) return undefined
  const first = (...files: string[]): string | null => files.find((file) => existsSync(file)) ?? null
  return {
    record,
    pinned: existsSync(join(own, PINNED)) || existsSync(pinned),
    tags: tagsIn(own, pinned),
    page: first(join(own, PAGE)),
    metricsFile: first(join(own, METRICS), join(pinned, METRICS)),
  }
}

/** The tags in an experiment's folders: see tag.ts. */
export function tagsIn(...folders: readonly string[]): string[] {
  const found = folders
    .map((folder) => join(folder, TAGS))
    .flatMap((tags) => (existsSync(tags) ? readdirSync(tags) : []))
  return [...new Set(found)].sort()
}

/** The experiment that is tagged `prefix`, or whose hash begins with it: a tag is never the beginning of a hash. */
export function readExperiment(root: string, prefix: string): Result<ListedExperiment, Failure> {
  const all = listExperiments(root)
  const tagged = all.filter(({ tags }) => tags.includes(prefix))
  const found = tagged.length > 0 ? tagged : all.filter(({ record }) => prefix !== '' && record.hash.startsWith(prefix))
  if (found.length === 1) return ok(found[0]!)
  if (found.length > 1) {
    const hashes = `${found.length} experiments: ${found.map(({ record }) => record.hash.slice(0, 16)).join(', ')}`
    const [is, advice] =
      tagged.length > 0 ? ['is a tag of', 'Tag one of them again'] : ['begins the hashes of', 'Give more digits']
    return err(new Failure('EXPERIMENT_AMBIGUOUS', `"${prefix}" ${is} ${hashes}. ${advice}.`))
  }
  const known =
    all.length === 0
      ? 'none is recorded yet'
      : `recorded are ${all
          .slice(0, 10)
          .map(({ record }) => record.hash.slice(0, 12))
          .join(', ')}`
  const near = nearest(
    prefix,
    all.flatMap(({ tags }) => tags),
  )
  const meant = near === undefined ? '' : ` Did you mean "${near}"?`
  const message = `No experiment's hash begins with "${prefix}", and none is tagged so; ${known}. \`pipeline list\` shows all.${meant}`
  return err(new Failure('EXPERIMENT_UNKNOWN', message))
}
