import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Code } from '../util/codes/index.ts'
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
import { assertRunnable, recordedIdentities, recordedPipeline } from './recorded.ts'
import { newReproduction } from './reproductions.ts'
import type { ResolveRevisions } from './revisions.ts'
import { runPrepared } from './run.ts'
import type { RunOptions } from './run-options.ts'
import { setScene } from './sources/scene.ts'
import type { Scene } from './sources/scene.ts'
import { StatCache } from './stat-cache.ts'
import { Store } from './store.ts'

type Options = Pick<RunOptions, 'signal' | 'kill' | 'onEvent'>

/**
 * Runs every stage of a recorded experiment from its recorded code and sources, in an empty store, and holds each
 * output against the recorded digest. An error is what is wrong before anything ran; what failed or differs is the
 * value. What was made is removed, but for results that differ and failures, which a user wants to look at.
 * The last event of a reproduction is always `reproduced`.
 */
export async function reproduce(
  root: string,
  prefix: string,
  options: Options,
): Promise<Result<readonly Failure[], readonly Failure[]>> {
  const found = readExperiment(root, prefix)
  if (!found.ok) return err([found.error])
  const { record } = found.value
  const runnable = assertRunnable(root, record)
  if (!runnable.ok) return err([runnable.error])
  const artifacts = newReproduction(artifactsOf(root))
  const stats = new StatCache(projectAt(root).cache)
  // gc leaves alone what a living process uses: until all is compared
  const live = goLive(new Store(artifacts, stats))
  let isOver = true
  try {
    const scene = await setScene(root, record, artifacts, stats)
    stats.save()
    if (!scene.ok) return scene
    const prepared = await prepareRecorded(root, record, artifacts, scene.value)
    if (!prepared.ok) return prepared
    const failures = await runAll(root, record, prepared.value, scene.value, options)
    isOver = failures.length === 0 || options.signal.aborted
    return ok(failures)
  } finally {
    live?.release()
    if (isOver) rmSync(artifacts, { recursive: true, force: true })
  }
}

/** Gives what failed or came out otherwise. */
async function runAll(
  root: string,
  record: ExperimentRecord,
  prepared: Prepared,
  { others }: Scene,
  { onEvent, ...stop }: Options,
): Promise<readonly Failure[]> {
  const tell = (code: Code, message: string): void => onEvent({ type: 'notice', stage: null, code, message })
  for (const path of others) {
    tell('SOURCE_RECORDED', `The source "${path}" is another one here; the experiment's own is read.`)
  }
  for (const message of packageChanges(prepared, record)) tell('PACKAGE_CHANGED', message)
  // the store is a new one, which the nodes of a cluster may not see
  const here = { executor: 'local', engine: record.engine, resolveRevisions: pinsOf(record) } as const
  const { finished, failures, manifests } = await runPrepared(prepared, { ...stop, ...here, onEvent })
  const judged = await judgeAll(root, record, finished.stages, prepared, manifests)
  for (const message of tolerated(judged)) tell('WITHIN_TOLERANCE', message)
  const differences = firstDifferent(judged, record, prepared, manifests)
  for (const failure of differences) onEvent({ type: 'failure', stage: null, failure, log: null })
  onEvent({ type: 'reproduced', experiment: record.hash, stages: judged.map(({ stage }) => stage) })
  return [...failures, ...differences]
}

/** The recorded stages ready to run, once they are seen to be those that the experiment's hash was made of. */
async function prepareRecorded(
  root: string,
  record: ExperimentRecord,
  artifacts: string,
  scene: Scene,
): Promise<Result<Prepared, readonly Failure[]>> {
  const pipeline = recordedPipeline(scene.root, record, scene.at)
  const prepared = await prepare(pipeline, undefined, pinsOf(record), {
    artifacts,
    project: projectAt(root),
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
