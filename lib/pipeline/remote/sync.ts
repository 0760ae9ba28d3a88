import { join } from 'node:path'
import { Failure } from '../../util/failure.ts'
import { acquire } from '../../util/lock.ts'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'
import { experimentHash } from '../definition.ts'
import { readExperiment } from '../experiment.ts'
import type { ExperimentRecord } from '../experiment.ts'
import { keyOf } from '../key.ts'
import type { Manifest } from '../manifest.ts'
import type { Pipeline } from '../pipeline.ts'
import { settledBy } from '../plan.ts'
import { nearest } from '../../util/nearest.ts'
import { artifactsOf, isComplete, prepare, recordOf } from '../prepare.ts'
import type { Prepared, Settled } from '../prepare.ts'
import { projectAt } from '../project.ts'
import type { ResolveRevisions } from '../revisions.ts'
import { StatCache } from '../stat-cache.ts'
import { Store } from '../store.ts'
import { storeFailure } from '../store-failure.ts'
import type { ResultPlace } from '../store.ts'
import { registerUser } from '../store-users.ts'
import { fetchExperiment, findExperiment, pushExperiment } from './experiments.ts'
import { openRemote } from './open.ts'
import { fetchResult, findResult, pushResult } from './results.ts'
import type { Channel } from './results.ts'
import { makeChannel } from './session.ts'
import type { Keys } from './signature.ts'
import { keysToPull, keysToPush } from './signing-key.ts'

/** What a push or a pull did. */
export interface Synced {
  readonly remote: string
  /** Whose records were pushed or pulled. */
  readonly experiments: readonly string[]
  readonly stages: readonly SyncedStage[]
}

export interface SyncedStage {
  readonly stage: string
  /** Null where it depends on a stage whose result is not known. */
  readonly key: string | null
  /** `there`: on the other side already; `absent`: not on the side that it was asked of; `refused`: it is damaged there, or not signed. */
  readonly result: 'pushed' | 'pulled' | 'there' | 'absent' | 'refused'
  /** Of what was pushed or pulled. */
  readonly bytes: number
  /** Why it was refused. */
  readonly message?: string
  readonly code?: string
}

export interface SyncOptions {
  /** Names of stages, which mean also what these read, and hashes of experiments; none: all that the pipeline says now. */
  readonly targets: readonly string[]
  readonly resolveRevisions: ResolveRevisions
  readonly signal: AbortSignal
}

type Act = (channel: Channel, store: Store, place: ResultPlace) => Promise<Omit<SyncedStage, 'stage' | 'key'>>

/** Pushes the results that the store has of the pipeline's stages, or of experiments', and the records. */
export function push(pipeline: Pipeline, options: SyncOptions): Promise<Result<Synced, Failure[]>> {
  return sync(pipeline, keysToPush, options, pushOne, async (channel, hash) => {
    const found = readExperiment(pipeline.root, hash)
    if (!found.ok) return Promise.reject(found.error)
    await pushExperiment(channel, pipeline.root, found.value.record.hash)
    return found.value.record
  })
}

/** Fetches the results that the store lacks of the pipeline's stages, or of experiments', and the records. */
export function pull(pipeline: Pipeline, options: SyncOptions): Promise<Result<Synced, Failure[]>> {
  return sync(pipeline, keysToPull, options, takeResult, async (channel, prefix) => {
    const hash = await findExperiment(channel, prefix)
    registerUser(join(artifactsOf(pipeline.root), 'store'))
    await fetchExperiment(channel, pipeline.root, hash)
    const found = readExperiment(pipeline.root, hash)
    if (!found.ok) throw found.error
    return found.value.record
  })
}

/** Brings an experiment's record to the other side. Rejects with a Failure, EXPERIMENT_UNKNOWN where there is none. */
type Bring = (channel: Channel, hash: string) => Promise<ExperimentRecord>

async function sync(
  pipeline: Pipeline,
  keysOf: (pipeline: Pipeline) => Keys,
  { targets, resolveRevisions, signal }: SyncOptions,
  act: Act,
  bring: Bring,
): Promise<Result<Synced, Failure[]>> {
  if (pipeline.remote === undefined) return err([noRemote()])
  const names = targets.filter((target) => pipeline.stages.some(({ id, name }) => id === target || name === target))
  const experiments: string[] = []
  const stages: SyncedStage[] = []
  try {
    const channel = makeChannel(await openRemote(pipeline.remote), keysOf(pipeline), signal)
    for (const target of targets.filter((one) => !names.includes(one))) {
      const record = await bring(channel, target).catch((error: unknown) =>
        Promise.reject(near(error, pipeline, target)),
      )
      experiments.push(record.hash)
      stages.push(...(await syncRecorded(channel, pipeline.root, record, act)))
    }
    if (targets.length === 0 || names.length > 0) {
      const prepared = await prepare(pipeline, names, resolveRevisions)
      if (!prepared.ok) return prepared
      stages.push(...(await syncPlanned(channel, prepared.value, act)))
      const hash = experimentHash(prepared.value)
      // what was not run as a whole has no record
      const record = names.length > 0 ? undefined : await bring(channel, hash).catch(unlessUnknown)
      if (record !== undefined) experiments.push(record.hash)
    }
    return ok({ remote: channel.remote.address, experiments, stages })
  } catch (error) {
    if (signal.aborted) return err([new Failure('STOPPED', 'Stopped: what is not done yet is left.', { exitCode: 1 })])
    return err([storeFailure(error, 'results were shared')])
  }
}

const isUnknown = (error: unknown): error is Failure => error instanceof Failure && error.code === 'EXPERIMENT_UNKNOWN'

function unlessUnknown(error: unknown): undefined {
  if (!isUnknown(error)) throw error
}

/** What is no experiment may have been meant as a stage. */
function near(error: unknown, { stages }: Pipeline, target: string): Error {
  if (!isUnknown(error)) return error as Error
  const stage = nearest(
    target,
    stages.flatMap(({ id, name }) => [name, id]),
  )
  return stage === undefined ? error : new Failure(error.code, `${error.message} Did you mean the stage "${stage}"?`)
}

const noRemote = (): Failure =>
  new Failure(
    'REMOTE_MISSING',
    'pipeline.yaml names no remote. Write `remote: file:PATH` or `remote: s3://BUCKET/PREFIX`.',
  )

async function syncRecorded(
  channel: Channel,
  root: string,
  record: ExperimentRecord,
  act: Act,
): Promise<SyncedStage[]> {
  const stats = new StatCache(projectAt(root).cache)
  const store = new Store(artifactsOf(root), stats)
  const stages: SyncedStage[] = []
  for (const [stage, { key }] of Object.entries(record.stages)) {
    const place = { stage: stage.replace(/\[.*$/s, ''), key }
    stages.push({ stage, key, ...(await act(channel, store, place)) })
  }
  stats.save()
  return stages
}

/** Keys follow from the results before them, as they are on this side afterwards. */
async function syncPlanned(channel: Channel, prepared: Prepared, act: Act): Promise<SyncedStage[]> {
  const { store, stats } = prepared
  const settled = new Map<string, Settled>()
  const stages: SyncedStage[] = []
  for (const stage of prepared.stages) {
    if (Object.keys(stage.out).length === 0) continue
    const record = recordOf(prepared, stage, settled)
    const key = isComplete(record) ? keyOf(record) : null
    const place = key === null ? undefined : { stage: stage.name, key }
    const done = place === undefined ? ABSENT : await act(channel, store, place)
    const found = place && (await store.find(place.stage, place.key))
    if (found?.state === 'whole') settled.set(stage.id, settledBy(found.manifest))
    stages.push({ stage: stage.id, key, ...done })
  }
  stats.save()
  return stages
}

const ABSENT = { result: 'absent', bytes: 0 } as const

async function pushOne(channel: Channel, store: Store, place: ResultPlace) {
  const found = await store.find(place.stage, place.key)
  if (found.state !== 'whole') {
    const there = await findResult(channel, place).catch(refused)
    return there === undefined || 'message' in there ? ABSENT : ({ result: 'there', bytes: 0 } as const)
  }
  const { bytes, objects } = await pushResult(channel, store, place, found.manifest)
  return { result: objects > 0 ? 'pushed' : 'there', bytes } as const
}

/** Fetches a result that the store lacks, or has damaged: that one is moved aside. */
export async function takeResult(channel: Channel, store: Store, place: ResultPlace) {
  const lock = await acquire(store.stageFolder(place.stage), place.key, channel.signal, () => undefined)
  try {
    const { state } = await store.find(place.stage, place.key)
    if (state === 'whole') return { result: 'there', bytes: 0 } as const
    if (state === 'damaged') store.retire(place.stage, place.key)
    const taken = await fetchResult(channel, store, place).catch(refused)
    if (taken === undefined) return ABSENT
    return 'message' in taken
      ? ({ result: 'refused', bytes: 0, message: taken.message, code: taken.code } as const)
      : ({ result: 'pulled', bytes: sizeOf(taken) } as const)
  } finally {
    lock.release()
  }
}

const REFUSED: ReadonlySet<string> = new Set(['REMOTE_DAMAGED', 'REMOTE_UNTRUSTED', 'LINKS_MISSING'])

const sizeOf = ({ files }: Manifest): number => files.reduce((sum, { size }) => sum + size, 0)

/** What is damaged or not trusted in the remote, or cannot be on this disk, stops no other. */
function refused(error: unknown): Failure {
  if (error instanceof Failure && REFUSED.has(error.code)) return error
  throw error
}
