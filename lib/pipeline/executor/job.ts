import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../../util/failure.ts'
import { makeStage } from '../execute.ts'
import type { Execution, StageEnd, StageTask } from '../execute.ts'
import { messageOf } from '../files.ts'
import { envIdentity, keyOf } from '../key.ts'
import { claim, goLive } from '../live.ts'
import type { Prepared } from '../prepare.ts'
import { cancelled } from '../stage-failures.ts'
import { StatCache } from '../stat-cache.ts'
import { Store } from '../store.ts'
import { endOf, openLines } from './job-events.ts'
import type { LineWriter } from './job-events.ts'
import { eventsFile, layCode, readOrder } from './order.ts'
import type { Batch, Order } from './order.ts'

/**
 * What a job of a cluster runs, `node job.mjs FOLDER NUMBER`: one stage, from the lock of its key to its published result.
 * What it says goes to a file beside the order; nothing depends on whether anybody reads it.
 */
const [folder, number] = [process.argv[2]!, Number(process.argv[3])]
const { order, batch } = readOrder(folder, number)
const lines = openLines(eventsFile(folder, number))
process.on('exit', lines.flush)
lines.write({ type: 'began', host: hostname() })
lines.flush()
const end = await runOrder(order, batch, lines)
lines.write({ type: 'end', ...endOf(end) })
// to its output file, which Slurm has open even where the folder of its orders is gone
if (end.outcome === 'failed') process.stderr.write(`${end.failure.message}\n`)
process.exit(end.outcome === 'failed' ? 1 : 0)

async function runOrder(order: Order, batch: Batch, { write }: LineWriter): Promise<StageEnd> {
  const abort = new AbortController()
  // Slurm sends SIGTERM before it kills: at the time limit, for scancel, and where another job comes first
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => abort.abort())
  const failed = (failure: Failure): StageEnd => ({ outcome: 'failed', key: order.key, failure, log: null })
  const wrong = refuse(order)
  if (wrong !== undefined) return failed(wrong)
  try {
    const run = executionOf(order, batch, abort.signal, (event) => write({ type: 'event', event }))
    const { store } = run.prepared
    const live = goLive(store)
    try {
      // its driver may be dead by now, and what it claimed with it
      const reads = Object.values(order.reads).map(({ stage, settled }) => ({ stage: stage.name, key: settled.key }))
      await claim(store, reads, abort.signal)
      return await orStopped(await makeStage(run, taskOf(order)), order, abort.signal)
    } finally {
      live?.release()
    }
  } catch (error) {
    return failed(error instanceof Failure ? error : new Failure('STAGE_DIED', messageOf(error), { exitCode: 1 }))
  }
}

/** Slurm signals all processes of a job at once: the stage's may be seen to have ended before ours has come. */
async function orStopped(end: StageEnd, { stage }: Order, stop: AbortSignal): Promise<StageEnd> {
  if (end.outcome !== 'failed' || end.failure.code !== 'STAGE_DIED') return end
  const apartMs = 500
  await delay(apartMs, undefined, { signal: stop }).catch(() => undefined)
  return stop.aborted ? { ...end, failure: cancelled(stage) } : end
}

/** A cluster may give jobs another environment than the driver's, which is in the key. */
function refuse({ key, record, stage }: Order): Failure | undefined {
  if (keyOf(record) !== key) throw new Error(`Internal error: the order of "${stage.id}" is not of its key`)
  const here = envIdentity(stage.env, process.env)
  const other = stage.env.filter((name) => here[name] !== record.env[name])
  if (other.length === 0) return undefined
  const message = `The job of stage "${stage.id}" has not the values of ${other.join(', ')} that are in its key. Let sbatch hand on the environment (\`--export=ALL\`).`
  return new Failure('ENV_CHANGED', message, { place: stage.place })
}

function executionOf(order: Order, batch: Batch, signal: AbortSignal, emit: Execution['emit']): Execution {
  const settled = new Map(Object.entries(order.reads).map(([id, { settled }]) => [id, settled]))
  return {
    prepared: preparedOf(order, batch),
    engine: batch.engine,
    graceSeconds: batch.graceSeconds,
    host: layCode(folder, batch.tool, batch.host),
    ...{ signal, kill: new AbortController().signal, emit, settled, remote: undefined },
  }
}

function preparedOf(order: Order, batch: Batch): Prepared {
  const { stage, record, reads, sources, revisions } = order
  const { root, artifacts, project, bundle, extend } = batch
  if (bundle !== undefined) layCode(folder, project, bundle)
  const { code, env, packages } = record
  const read = Object.entries(reads).map(
    ([id, { stage }]) => [id, { id, ...stage } as Prepared['stages'][number]] as const,
  )
  const stats = new StatCache(project.cache)
  const none = { metrics: undefined, page: undefined, remote: undefined, trust: undefined }
  return {
    pipeline: { root, files: [], params: {}, resolved: {}, stages: [stage], ...none },
    store: new Store(artifacts, stats),
    stages: [stage],
    byId: new Map([...read, [stage.id, stage]]),
    identities: new Map([[stage.id, { code, env, packages, with: record.with, bundle, extend }]]),
    sources: new Map(Object.entries(sources)),
    revisions: new Map(Object.entries(revisions)),
    ...{ project, artifacts, stats },
  }
}

/** GPUs and cores are Slurm's to give: it names the GPUs in CUDA_VISIBLE_DEVICES. */
function taskOf({ stage, record, reason, force }: Order): StageTask {
  const threads = Number(process.env['SLURM_CPUS_PER_TASK'] ?? process.env['SLURM_CPUS_ON_NODE'] ?? 1)
  return { stage, record, reason, force, audit: false, grant: { gpus: [], threads, release: () => undefined } }
}
