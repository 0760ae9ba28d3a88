import { join, resolve } from 'node:path'
import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { Digest } from './canonical.ts'
import { placeOf } from './check-module.ts'
import { readsOf } from './dag.ts'
import { identifyStages } from './identify.ts'
import type { Identity } from './identify.ts'
import { KEY_SCHEMA } from './key.ts'
import type { InputIdentity, KeyRecord } from './key.ts'
import type { Input, Pipeline, Stage } from './pipeline.ts'
import { projectAt } from './project.ts'
import type { Project } from './project.ts'
import { StatCache } from './stat-cache.ts'
import { pinRevisions } from './revisions.ts'
import type { ResolveRevisions } from './revisions.ts'
import { Store } from './store.ts'
import { storeFailure } from './store-failure.ts'

/** Everything about a run that is known before it: what a plan is made from. */
export interface Prepared {
  readonly pipeline: Pipeline
  readonly project: Project
  readonly artifacts: string
  readonly stats: StatCache
  readonly store: Store
  /** The stages asked for and all that they read, each after what it reads. */
  readonly stages: readonly Stage[]
  readonly byId: ReadonlyMap<string, Stage>
  readonly identities: ReadonlyMap<string, Identity>
  /** Content digests of the inputs that no stage makes, by path as written. */
  readonly sources: ReadonlyMap<string, Digest>
  /** See `pinRevisions`. */
  readonly revisions: ReadonlyMap<string, string>
}

/** Where the code of a pipeline's stages comes from, and where its results go. */
export interface Origin {
  /** The folder in which the store, the links and the experiments lie. */
  readonly artifacts: string
  readonly project: Project
  readonly identify: (
    stages: readonly Stage[],
    project: Project,
    stats: StatCache,
  ) => Promise<Result<ReadonlyMap<string, Identity>, Failure[]>>
}

const workingTree = (pipeline: Pipeline): Origin => ({
  artifacts: artifactsOf(pipeline.root),
  project: projectAt(pipeline.root),
  identify: (stages, project, stats) => identifyStages(pipeline, stages, project, stats),
})

/** What the pipeline in this folder writes, all but its cache. */
export const artifactsOf = (root: string): string => join(root, 'artifacts')
export const storeOf = (root: string): string => join(artifactsOf(root), 'store')
export const experimentsOf = (root: string): string => join(artifactsOf(root), 'experiments')

/** Bundles, describes, validates, hashes and pins sources. Writes to the cache folder alone. */
export async function prepare(
  pipeline: Pipeline,
  targets: readonly string[] | undefined,
  resolveRevisions: ResolveRevisions,
  origin = workingTree(pipeline),
): Promise<Result<Prepared, Failure[]>> {
  try {
    return await prepareAll(pipeline, targets, resolveRevisions, origin)
  } catch (error) {
    return err([storeFailure(error, 'the stages were prepared')])
  }
}

async function prepareAll(
  pipeline: Pipeline,
  targets: readonly string[] | undefined,
  resolveRevisions: ResolveRevisions,
  { artifacts, project, identify }: Origin,
): Promise<Result<Prepared, Failure[]>> {
  const stats = new StatCache(project.cache)
  const selected = select(pipeline.stages, targets)
  if (!selected.ok) return selected
  const stages = selected.value
  const identities = await identify(stages, project, stats)
  const sources = await hashSources(pipeline, stages, stats)
  const revisions = await pinRevisions(stages, resolveRevisions)
  const failures = [identities, sources, revisions].flatMap((result) => (result.ok ? [] : result.error))
  if (!identities.ok || !sources.ok || !revisions.ok) return err(failures)
  stats.save()
  const store = new Store(artifacts, stats)
  const byId = new Map(stages.map((stage) => [stage.id, stage]))
  return ok({
    pipeline,
    project,
    artifacts,
    stats,
    store,
    stages,
    byId,
    identities: identities.value,
    sources: sources.value,
    revisions: revisions.value,
  })
}

/** A target is a stage's id, or its name for all its cells. */
function select(stages: readonly Stage[], targets: readonly string[] | undefined): Result<readonly Stage[], Failure[]> {
  if (targets === undefined || targets.length === 0) return ok(stages)
  const unknown = targets.filter((target) => !stages.some((stage) => stage.id === target || stage.name === target))
  if (unknown.length > 0) return err(unknown.map((target) => unknownTarget(target, stages)))
  const wanted = new Set<string>()
  for (const stage of stages.toReversed()) {
    if (!wanted.has(stage.id) && !targets.includes(stage.id) && !targets.includes(stage.name)) continue
    wanted.add(stage.id)
    for (const id of upstream(stage)) wanted.add(id)
  }
  return ok(stages.filter((stage) => wanted.has(stage.id)))
}

function unknownTarget(target: string, stages: readonly Stage[]): Failure {
  const near = nearest(target, new Set(stages.flatMap(({ id, name }) => [id, name])))
  const meant = near === undefined ? '; there' : `; did you mean "${near}"? There`
  const known = stages.map((stage) => `"${stage.id}"`).join(', ')
  return new Failure('STAGE_UNKNOWN', `There is no stage "${target}"${meant} are ${known}.`)
}

/** Ids of the stages that a stage reads. */
export function upstream(stage: Pick<Stage, 'in'>): readonly string[] {
  const ids = readsOf(stage)
  return ids.length > 1 ? [...new Set(ids)] : ids
}

async function hashSources(
  pipeline: Pipeline,
  stages: readonly Stage[],
  stats: StatCache,
): Promise<Result<ReadonlyMap<string, Digest>, Failure[]>> {
  const digests = new Map<string, Digest>()
  const failures: Failure[] = []
  for (const stage of stages) {
    for (const [name, input] of Object.entries(stage.in)) {
      if (input.kind !== 'path' || digests.has(input.path)) continue
      try {
        digests.set(input.path, (await stats.tree(resolve(pipeline.root, input.path))).digest)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        const message = `Input "${name}" of stage "${stage.id}": ${error.message}`
        failures.push(new Failure(error.code, message, { place: placeOf(stage, `in.${name}`), cause: error }))
      }
    }
  }
  return failures.length > 0 ? err(failures) : ok(digests)
}

/** Where a stage's result is, once that is known. */
export interface Settled {
  readonly key: Digest
  /** Output name to content digest. */
  readonly outputs: Readonly<Record<string, Digest>>
}

/** A key's record with null for each input that waits for a stage which has not run yet. */
export type PartialRecord = Omit<KeyRecord, 'in'> & { readonly in: Readonly<Record<string, InputIdentity | null>> }

export function recordOf(prepared: Prepared, stage: Stage, settled: ReadonlyMap<string, Settled>): PartialRecord {
  const identity = prepared.identities.get(stage.id)!
  const inputs = Object.entries(stage.in).map(
    ([name, input]) => [name, inputIdentity(prepared, input, settled)] as const,
  )
  return {
    schema: KEY_SCHEMA,
    code: identity.code,
    with: identity.with,
    in: Object.fromEntries(inputs),
    out: stage.out,
    env: identity.env,
    packages: identity.packages,
  }
}

/** The source files of a stage's module; none for a program. */
export const sourcesOf = ({ identities }: Prepared, stage: Stage): Readonly<Record<string, Digest>> =>
  identities.get(stage.id)!.bundle?.sources ?? {}

/** A source elsewhere, by the commit that its revision is. */
export const pinned = ({ revisions }: Prepared, source: string): string => revisions.get(source) ?? source

export const isComplete = (record: PartialRecord): record is KeyRecord =>
  Object.values(record.in).every((input) => input !== null)

function inputIdentity(prepared: Prepared, input: Input, settled: ReadonlyMap<string, Settled>): InputIdentity | null {
  switch (input.kind) {
    case 'string':
      return { text: pinned(prepared, input.value) }
    case 'path':
      return { content: prepared.sources.get(input.path)! }
    case 'stage': {
      const content = settled.get(input.stage)?.outputs[input.output]
      return content === undefined ? null : { content }
    }
    case 'gather': {
      const cells = Object.entries(input.cells).map(
        ([cell, ref]) => [cell, settled.get(ref.stage)?.outputs[ref.output]] as const,
      )
      return cells.some(([, digest]) => digest === undefined)
        ? null
        : { cells: Object.fromEntries(cells) as Record<string, Digest> }
    }
  }
}
