import { existsSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Code } from '../../util/codes/index.ts'
import type { Failure } from '../../util/failure.ts'
import { annotate, holderOf } from '../../util/lock-note.ts'
import type { Lock } from '../../util/lock.ts'
import { beginAudit, eachOnce } from '../audit.ts'
import { commandOf } from '../changes.ts'
import { runChild } from '../child.ts'
import type { Digest } from '../canonical.ts'
import type { Execution, Made, StageEnd, StageTask } from '../execute.ts'
import { keepExtension, offerExtension } from '../extension.ts'
import { withGpus } from '../gpus.ts'
import { holdKey } from '../hold-key.ts'
import { hostBundle } from '../host-bundle.ts'
import { hear } from '../hear.ts'
import type { Heard } from '../hear.ts'
import { inSources } from '../source-stack.ts'
import { holdInputs } from '../stage-inputs.ts'
import { cancelled, died, onFullDisk, timedOut } from '../stage-failures.ts'
import { childEnvironment, jobOf } from '../job.ts'
import { LOG, readManifest } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import type { Stage } from '../pipeline.ts'
import { sourcesOf } from '../prepare.ts'
import { withRetries } from '../retry.ts'
import { storeFailure } from '../store-failure.ts'
import type { Work } from '../store.ts'
import { machine } from '../surroundings.ts'

/** Makes a result in a child process on this machine, unless it is there once the key's lock is had. */
export const makeHere = (run: Execution, task: StageTask, key: Digest): Promise<StageEnd> =>
  holdKey(run, task, key, waitNotice(run, task, key), async (lock, held) => {
    annotate(lock, `on ${hostname()}`)
    const shared = await share(held, task, key)
    if (shared !== undefined) return shared
    // GPUs after the key's lock: who waits for a result holds none
    const told = task.audit ? { ...held, emit: eachOnce(held.emit) } : held
    return await withRetries(told, task, () => withGpus(told, task, (granted) => make(told, granted, key, lock)))
  })

export const waitNotice = (run: Execution, task: Pick<StageTask, 'stage'>, key: Digest) => (): void => {
  const found = holderOf(run.prepared.store.stageFolder(task.stage.name), key) ?? 'another run'
  // cells may come to the same key
  const isOwn = found.startsWith(`process ${process.pid} (on ${hostname()},`)
  const holder = isOwn ? 'another stage of this run' : found
  notice(run, task, 'LOCK_WAIT', `"${task.stage.id}" waits for ${holder}, which makes the same result.`)
}

/** Takes the result that is there, if it is whole; moves a damaged one out of the way. Who calls holds the key's lock. */
export async function share(run: Execution, task: Omit<StageTask, 'grant'>, key: Digest): Promise<Made | undefined> {
  const { stage } = task
  const { store } = run.prepared
  store.use(stage.name, key)
  const found = await store.findLate(stage.name, key)
  if (found.state === 'damaged') {
    const aside = store.retire(stage.name, key)
    const message = `The result of "${stage.id}" was damaged: ${found.what}. It was moved to "${aside}" and is made anew.`
    notice(run, task, 'RESULT_DAMAGED', message)
  }
  if (found.state !== 'whole' || task.force || Object.keys(stage.out).length === 0) return undefined
  return { outcome: 'fresh', key, manifest: found.manifest }
}

async function make(run: Execution, task: StageTask, key: Digest, lock: Lock): Promise<StageEnd> {
  const { stage } = task
  const { store } = run.prepared
  const inputs = await holdInputs(run.prepared, stage, run.settled)
  const work = store.begin(stage.name, key)
  const log = join(work.result, LOG)
  try {
    const started = performance.now()
    const device = await runStage(run, task, key, lock, work)
    await holdInputs(run.prepared, stage, run.settled, inputs)
    const sealed = await store.seal(work, stage.out)
    const seconds = (performance.now() - started) / 1000
    const end = await publish(run, task, key, work, manifestOf(run, task, key, sealed, device, seconds))
    keepExtension(run.prepared, stage, task.record)
    store.dropCheckpoint(stage.name, key)
    return end
  } catch (error) {
    const failure = onFullDisk(storeFailure(error, `stage "${stage.id}" ran`), work.folder)
    const kept = keepFailed(run, work, stage, key, failure)
    return {
      outcome: 'failed',
      key,
      failure,
      log: kept === undefined ? (existsSync(log) ? log : null) : join(kept, LOG),
    }
  }
}

function keepFailed(run: Execution, work: Work, stage: Stage, key: Digest, { code }: Failure): string | undefined {
  try {
    // half an output would keep the disk as full as it is
    if (code === 'DISK_FULL') run.prepared.store.dropOutputs(work, stage.out)
    return run.prepared.store.setAside(work, stage.name, key)
  } catch {
    return undefined // the disk that failed the stage may fail this too; the failure itself is what is said
  }
}

/** Runs the child to its end and gives the device that it named. Throws a Failure. */
async function runStage(run: Execution, task: StageTask, key: Digest, lock: Lock, work: Work): Promise<string | null> {
  const { stage, grant } = task
  const { store } = run.prepared
  const checkpoint = store.checkpoint(stage.name, key)
  if (checkpoint.refused !== undefined) {
    notice(
      run,
      task,
      'CHECKPOINT_REFUSED',
      `A checkpoint of another key was in the place of the one of "${stage.id}"; it was moved to "${checkpoint.refused}".`,
    )
  }
  // one that is run again to be compared must not go on from what it left itself
  if (!task.force) offerExtension(run.prepared, stage, task.record)
  const job = join(work.folder, 'job.json')
  const engine = { name: run.engine, threads: grant.threads }
  const locks = [lock, ...(grant.locks ?? [])].map(({ folder, key, token }) => ({ folder, key, token }))
  const place = { work, checkpoint: checkpoint.folder, locks }
  const told = jobOf(run.prepared, stage, run.settled, engine, place)
  writeFileSync(job, JSON.stringify(told))
  const audit = task.audit ? await beginAudit({ prepared: run.prepared, stage, job: told, work }) : undefined
  const command = [process.execPath, run.host ?? (await hostBundle()), job]
  const log = join(work.result, LOG)
  run.emit({ type: 'stage-started', stage: stage.id, key, reason: task.reason, log })
  const heard: Heard = { done: false, device: null, failure: undefined }
  const end = await runChild({
    command: audit?.watched(command) ?? command,
    task: lock.token,
    cwd: stage.program.kind === 'command' ? run.prepared.pipeline.root : work.scratch,
    env: { ...childEnvironment(process.env, stage.env, grant.gpus), ...audit?.env },
    log,
    timeoutSeconds: stage.timeoutSeconds,
    graceSeconds: run.graceSeconds,
    signal: run.signal,
    kill: run.kill,
    onLine: (line) => run.emit({ type: 'stage-log', stage: stage.id, line }),
    onMessage: (message) => hear(stage, heard, message, run.emit),
  })
  if (run.signal.aborted || run.kill.aborted) throw cancelled(stage)
  for (const { code, message } of audit?.end() ?? []) notice(run, task, code, message)
  if (end.timedOut) throw timedOut(stage)
  if (heard.failure !== undefined) {
    const { pipeline, identities } = run.prepared
    throw await inSources(heard.failure, stage, identities.get(stage.id)?.bundle, pipeline.root)
  }
  if (!heard.done || end.exitCode !== 0) throw died(stage, end)
  return heard.device
}

/** A second result of one key is compared with the first, which stays. */
async function publish(
  run: Execution,
  task: StageTask,
  key: Digest,
  work: Work,
  manifest: Manifest,
): Promise<StageEnd> {
  const { stage } = task
  const { store } = run.prepared
  const there = readManifest(store.folder(stage.name, key), key)
  const first = there ?? (await store.publish(work, stage.name, manifest))
  let folder: string | null = null
  if (first !== undefined) {
    const differing = Object.keys(manifest.outputs).filter(
      (name) => first.outputs[name]?.digest !== manifest.outputs[name]?.digest,
    )
    if (differing.length > 0) {
      folder = store.setAside(work, stage.name, key)
      reportDifference(run, task, differing, folder)
    } else store.discard(work)
  }
  if (first === undefined) return { outcome: 'ran', key, manifest }
  return { outcome: 'ran', key, manifest: first, second: { device: manifest.ran.device, folder } }
}

function reportDifference(run: Execution, task: StageTask, outputs: readonly string[], kept: string): void {
  const names = outputs.map((name) => `"${name}"`).join(', ')
  notice(
    run,
    task,
    'NOT_DETERMINISTIC',
    `"${task.stage.id}" gave other bytes for ${names} from the same inputs. The first result stays; the second is in "${kept}".`,
  )
}

function manifestOf(
  run: Execution,
  task: StageTask,
  key: Digest,
  sealed: Pick<Manifest, 'outputs' | 'files'>,
  device: string | null,
  seconds: number,
): Manifest {
  const { stage, record } = task
  const { piece } = stage
  const parts =
    piece?.kind === 'merge'
      ? { device: device ?? piece.device, seconds: seconds + piece.seconds, shards: piece.shards }
      : { device, seconds }
  const ran = { engine: run.engine, machine: machine(), at: new Date().toISOString(), ...parts }
  const code = { sources: sourcesOf(run.prepared, stage), ...commandOf(stage.program) }
  return { version: 1, stage: stage.id, key, record, ...sealed, ...code, ran }
}

export function notice(run: Execution, task: Pick<StageTask, 'stage'>, code: Code, message: string): void {
  run.emit({ type: 'notice', stage: task.stage.id, code, message })
}
