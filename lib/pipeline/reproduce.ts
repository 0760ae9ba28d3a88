import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { definitions, experimentHash } from './definition.ts'
import type { Digest } from './canonical.ts'
import type { StageResult } from './event.ts'
import { readExperiment, recordFolders } from './experiment.ts'
import type { ExperimentRecord } from './experiment.ts'
import { judge } from './judge.ts'
import type { Judged, OutputJudged } from './judge.ts'
import { findKept } from './kept-outputs.ts'
import { goLive } from './live.ts'
import type { Manifest } from './manifest.ts'
import { versionsAt } from './packages.ts'
import { artifactsOf, prepare, upstream } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import { projectAt } from './project.ts'
import { pathHere, recordedIdentities, recordedPipeline } from './recorded.ts'
import { newReproduction } from './reproductions.ts'
import type { ResolveRevisions } from './revisions.ts'
import { runPrepared } from './run.ts'
import type { RunOptions } from './run-options.ts'
import { contentOf } from './stage-inputs.ts'
import { StatCache } from './stat-cache.ts'
import { Store } from './store.ts'

/**
 * Runs every stage of a recorded experiment from its recorded code and its sources, in an empty store, and holds each
 * output against the recorded digest. An error is what is wrong before anything ran; what failed or differs is the
 * value. What was made is removed, but for results that differ and failures, which a user wants to look at.
 * The last event of a reproduction is always `reproduced`.
 */
export async function reproduce(
  root: string,
  prefix: string,
  { onEvent, ...stop }: Pick<RunOptions, 'signal' | 'kill' | 'onEvent'>,
): Promise<Result<readonly Failure[], readonly Failure[]>> {
  const found = readExperiment(root, prefix)
  if (!found.ok) return err([found.error])
  const { record } = found.value
  const artifacts = newReproduction(artifactsOf(root))
  const prepared = await prepareRecorded(root, record, artifacts)
  if (!prepared.ok) return prepared
  for (const message of packageChanges(prepared.value, record)) {
    onEvent({ type: 'notice', stage: null, code: 'PACKAGE_CHANGED', message })
  }
  // the store is a new one, which the nodes of a cluster may not see
  const here = { executor: 'local', engine: record.engine, resolveRevisions: pinsOf(record) } as const
  const options = { ...stop, ...here, onEvent }
  const { failures, judged, manifests } = await runAndJudge(root, record, prepared.value, options)
  for (const message of tolerated(judged)) onEvent({ type: 'notice', stage: null, code: 'WITHIN_TOLERANCE', message })
  const stages = judged.map(({ stage }) => stage)
  const differences = firstDifferent(judged, record, prepared.value, manifests)
  const all = [...failures, ...differences]
  if (all.length === 0 || stop.signal.aborted) rmSync(artifacts, { recursive: true, force: true })
  for (const failure of differences) onEvent({ type: 'failure', stage: null, failure, log: null })
  onEvent({ type: 'reproduced', experiment: record.hash, stages })
  return ok(all)
}

/** gc leaves alone what a living process uses: until all is compared. */
async function runAndJudge(root: string, record: ExperimentRecord, prepared: Prepared, options: RunOptions) {
  const live = goLive(prepared.store)
  try {
    const { finished, failures, manifests } = await runPrepared(prepared, options)
    return { failures, manifests, judged: await judgeAll(root, record, finished.stages, prepared, manifests) }
  } finally {
    live?.release()
  }
}

/** The recorded stages ready to run, once they are seen to be those that the experiment's hash was made of. */
async function prepareRecorded(
  root: string,
  record: ExperimentRecord,
  artifacts: string,
): Promise<Result<Prepared, readonly Failure[]>> {
  const pipeline = recordedPipeline(root, record)
  if (!pipeline.ok) return err([pipeline.error])
  const sources = await changedSources(root, record)
  if (sources.length > 0) return err(sources)
  const prepared = await prepare(pipeline.value, undefined, pinsOf(record), {
    artifacts,
    identify: (stages, project, stats) => Promise.resolve(recordedIdentities(root, record, stages, project, stats)),
  })
  if (!prepared.ok || experimentHash(prepared.value) === record.hash) return prepared
  return err([otherDefinition(prepared.value, record)])
}

/** Branches and tags are what they were. */
const pinsOf =
  ({ revisions }: ExperimentRecord): ResolveRevisions =>
  (sources) =>
    Promise.resolve(sources.map((source) => ok(revisions[source]!.replace(/.*@/, ''))))

async function changedSources(root: string, record: ExperimentRecord): Promise<readonly Failure[]> {
  const stats = new StatCache(projectAt(root).cache)
  const failures: Failure[] = []
  for (const [recorded, expected] of Object.entries(record.sources)) {
    const path = pathHere(recorded)
    const found = await contentOf(stats, resolve(root, path))
    if (found === expected) continue
    const what = found === undefined ? 'nothing that can be read' : `content of digest ${found}`
    const message = `The source "${path}" is not what the experiment read: expected content of digest ${expected}, found ${what}. Put it back as it was.`
    failures.push(new Failure('SOURCE_CHANGED', message))
  }
  stats.save()
  return failures
}

/** Code, parameters and packages are the record's own, and sources were compared: what is left is the environment. */
function otherDefinition(prepared: Prepared, { hash, stages }: ExperimentRecord): Failure {
  const here = definitions(prepared)
  const changed = prepared.stages.find(({ id }) => here.get(id) !== stages[id]!.definition)
  if (changed === undefined || changed.env.length === 0) {
    const message = `The record of ${hash.slice(0, 16)} does not make its hash: it was edited, or this version makes other hashes. Take the record as it was written, with the version that wrote it.`
    return new Failure('RECORD_DAMAGED', message)
  }
  const message = `Stage "${changed.id}" declares the environment variables ${changed.env.join(', ')}, and at least one is not what it was when the experiment ran. Set them as they were.`
  return new Failure('ENV_CHANGED', message)
}

function packageChanges({ project }: Prepared, { stages }: ExperimentRecord): string[] {
  const recorded = new Map(Object.values(stages).flatMap(({ packages }) => Object.entries(packages)))
  const here = versionsAt(project.folder, [...recorded.keys()])
  return [...recorded].flatMap(([place, text]) => {
    const [version] = text.split(' ')
    const found = here.get(place)
    if (version === 'linked' || version === found) return []
    return [`The package "${place}" is ${found ?? 'not installed'} here; the experiment ran with ${version!}.`]
  })
}

async function judgeAll(
  root: string,
  record: ExperimentRecord,
  results: readonly StageResult[],
  { store, stats, byId }: Prepared,
  manifests: ReadonlyMap<string, Manifest>,
): Promise<Judged[]> {
  const recordedStore = new Store(artifactsOf(root), stats)
  const judged: Judged[] = []
  for (const result of results) {
    const { name } = byId.get(result.name)!
    const recorded = record.stages[result.name]!
    const manifest = manifests.get(result.name)
    const here = manifest === undefined ? '' : store.folder(name, manifest.key)
    const find = async (output: string, digest: Digest): Promise<string | undefined> =>
      (await inStore(recordedStore, name, recorded.key, output, digest)) ??
      findKept(recordFolders(root, record.hash), digest, stats)
    judged.push(await judge(result, recorded, manifest, { here, recorded: find }))
  }
  return judged
}

async function inStore(store: Store, stage: string, key: Digest, output: string, digest: Digest) {
  const found = await store.find(stage, key)
  const known = found.state === 'whole' ? found.manifest.outputs[output] : undefined
  return known?.digest === digest ? join(store.folder(stage, key), known.file) : undefined
}

const tolerated = (judged: readonly Judged[]): string[] =>
  judged.flatMap(({ stage, outputs }) =>
    outputs.flatMap(({ output, within }) =>
      within === null
        ? []
        : `Output "${output}" of "${stage.name}" came out in other bytes, within its tolerance: its numbers are at most ${Number(within.toPrecision(3))} from the recorded ones.`,
    ),
  )

/** Stages come each after what it reads, so that the first which differs was given what was recorded, or nearly. */
function firstDifferent(
  judged: readonly Judged[],
  record: ExperimentRecord,
  { artifacts, byId }: Prepared,
  manifests: ReadonlyMap<string, Manifest>,
): Failure[] {
  const first = judged.find(({ stage }) => stage.result === 'different')
  if (first === undefined) return []
  const { name } = first.stage
  const near = judged.filter(({ stage }) => stage.result === 'within').map(({ stage }) => stage.name)
  const reads = upstream(byId.get(name)!).filter((id) => near.includes(id))
  const inputs = reads.length === 0 ? 'and inputs' : `and with inputs within tolerance (of "${reads.join('", "')}")`
  const outputs = first.outputs.filter(({ within }) => within === null).map(wordOutput)
  const [here, there] = [manifests.get(name)!.ran.device, record.stages[name]!.device].map(
    (device) => device ?? 'an unnamed device',
  )
  const on = here === there ? '' : ` It ran on ${here!} here, and on ${there!} when it was recorded.`
  const message = `"${name}" is the first stage that came out otherwise than recorded: other bytes for ${outputs.join(', ')} from the same code ${inputs}.${on} Its result is below "${artifacts}".`
  return [new Failure('NOT_REPRODUCED', message, { exitCode: 1 })]
}

function wordOutput({ output, first, tolerance }: OutputJudged): string {
  if (first !== null) return `"${output}" (${first.place}: ${first.expected} recorded, ${first.found} here)`
  return tolerance === undefined
    ? `"${output}"`
    : `"${output}" (the recorded one is not here, so that its numbers cannot be held against the tolerance)`
}
