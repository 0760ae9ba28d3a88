import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { definitions, experimentHash } from './definition.ts'
import type { ReproducedStage, StageResult } from './event.ts'
import { readExperiment } from './experiment.ts'
import type { ExperimentRecord, StageRecord } from './experiment.ts'
import { token } from './files.ts'
import type { Manifest } from './manifest.ts'
import { versionsAt } from './packages.ts'
import { artifactsOf, prepare } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import { projectAt } from './project.ts'
import { pathHere, recordedIdentities, recordedPipeline } from './recorded.ts'
import type { ResolveRevisions } from './revisions.ts'
import { runPrepared } from './run.ts'
import type { RunOptions } from './run.ts'
import { contentOf } from './stage-inputs.ts'
import { StatCache } from './stat-cache.ts'

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
  const artifacts = join(artifactsOf(root), `.reproduce-${token()}`)
  const prepared = await prepareRecorded(root, record, artifacts)
  if (!prepared.ok) return prepared
  for (const message of packageChanges(prepared.value, record)) {
    onEvent({ type: 'notice', stage: null, code: 'PACKAGE_CHANGED', message })
  }
  const options = { ...stop, onEvent, engine: record.engine, resolveRevisions: pinsOf(record) }
  const { finished, failures, manifests } = await runPrepared(prepared.value, options)
  const stages = finished.stages.map((one) => compare(one, record.stages[one.name]!, manifests.get(one.name)))
  const differences = firstDifference(stages, record, manifests, artifacts)
  const all = [...failures, ...differences]
  if (all.length === 0 || stop.signal.aborted) rmSync(artifacts, { recursive: true, force: true })
  for (const failure of differences) onEvent({ type: 'failure', stage: null, failure, log: null })
  onEvent({ type: 'reproduced', experiment: record.hash, stages })
  return ok(all)
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

function compare({ name, outcome, seconds }: StageResult, recorded: StageRecord, manifest?: Manifest): ReproducedStage {
  if (outcome === 'failed' || outcome === 'skipped') return { name, result: outcome, seconds }
  return { name, result: differing(recorded, manifest!).length === 0 ? 'identical' : 'different', seconds }
}

const differing = ({ outputs }: StageRecord, manifest: Manifest): string[] =>
  Object.keys(outputs).filter((name) => outputs[name] !== manifest.outputs[name]?.digest)

/** Stages come each after what it reads, so that the first which differs was given what was recorded. */
function firstDifference(
  stages: readonly ReproducedStage[],
  record: ExperimentRecord,
  manifests: ReadonlyMap<string, Manifest>,
  artifacts: string,
): Failure[] {
  const first = stages.find(({ result }) => result === 'different')
  if (first === undefined) return []
  const [recorded, manifest] = [record.stages[first.name]!, manifests.get(first.name)!]
  const outputs = differing(recorded, manifest).map((output) => `"${output}"`)
  const [here, there] = [manifest.ran.device, recorded.device].map((device) => device ?? 'an unnamed device')
  const on = here === there ? '' : ` It ran on ${here!} here, and on ${there!} when it was recorded.`
  const message = `"${first.name}" is the first stage that came out otherwise than recorded: other bytes for ${outputs.join(', ')} from the same code and inputs.${on} Its result is below "${artifacts}".`
  return [new Failure('NOT_REPRODUCED', message, { exitCode: 1 })]
}
