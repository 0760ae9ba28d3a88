import { Failure } from '../util/failure.ts'
import { flatten } from '../util/flatten.ts'
import { isRecord } from '../util/json.ts'
import type { Json, JsonObject } from '../util/json.ts'
import type { Logged } from './logged.ts'
import { namer } from './names.ts'
import { ask, serverOf } from './rest.ts'
import type { Server } from './rest.ts'
import type { Kept } from './services.ts'

/** What a server takes at once: mlflow/utils/validation.py. Parameters that are too long it cuts itself. */
const LIMITS = { metrics: 1000, params: 100 }
/** What no name may have: brackets and commas, among others. */
const BARRED = /[^\p{L}\p{N}_.\-/ ]/gu
/** A run carries the whole hash, so that an experiment is logged once, from whatever machine. */
const TAG = 'pipeline.experiment'

/**
 * Logs an experiment as one run of the MLflow server that MLFLOW_TRACKING_URI names, in the MLflow experiment of
 * MLFLOW_EXPERIMENT_NAME, and gives the run's page. A run that was not finished is made anew. Throws Failure MLFLOW_….
 */
export async function logToMlflow(logged: Logged, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Kept> {
  const server = serverOf(env, signal)
  const experiment = await experimentId(server, env['MLFLOW_EXPERIMENT_NAME'] || 'distil-pipeline')
  const page = (run: string): string => `${server.uri}/#/experiments/${experiment}/runs/${run}`
  for (const { id, finished } of await runsOf(server, experiment, logged)) {
    if (finished) return { where: page(id), already: true }
    await post(server, 'runs/delete', { run_id: id })
  }
  const run = await createRun(server, experiment, logged)
  for (const batch of batches(logged)) await post(server, 'runs/log-batch', { run_id: run, ...batch })
  await post(server, 'runs/update', { run_id: run, status: 'FINISHED', end_time: logged.at })
  return { where: page(run), already: false }
}

async function experimentId(server: Server, name: string): Promise<string> {
  const found = await ask(server, 'GET', `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`)
  if (found !== undefined) return text(found, 'experiment', 'experiment_id')
  return text(await post(server, 'experiments/create', { name }), 'experiment_id')
}

async function runsOf(
  server: Server,
  experiment: string,
  { hash }: Logged,
): Promise<{ id: string; finished: boolean }[]> {
  const filter = `tags.\`${TAG}\` = '${hash}'`
  const { runs } = await post(server, 'runs/search', { experiment_ids: [experiment], filter })
  const found: readonly Json[] = Array.isArray(runs) ? runs : [] // an empty list is left out
  return found.map((run) => ({
    id: text(run, 'info', 'run_id'),
    finished: text(run, 'info', 'status') === 'FINISHED',
  }))
}

async function createRun(server: Server, experiment: string, { hash, name, at, commit }: Logged): Promise<string> {
  const tags = [{ key: TAG, value: hash }]
  if (commit !== null) tags.push({ key: 'mlflow.source.git.commit', value: commit })
  const run = { experiment_id: experiment, run_name: name, start_time: at, tags }
  return text(await post(server, 'runs/create', run), 'run', 'info', 'run_id')
}

function batches({ params, trainings, metrics, at }: Logged): JsonObject[] {
  const paramName = namer(BARRED)
  const given = flatten(params).map(([name, value]) => ({ key: paramName(name), value: wordOf(value) }))
  const metricName = namer(BARRED)
  const points = trainings.flatMap(({ stage, points }) =>
    points.flatMap(({ step, time, scalars }) =>
      scalars.map(([name, value]) => ({ key: metricName(`${stage}/${name}`), value, timestamp: time, step })),
    ),
  )
  const final = metrics.map(([name, value]) => ({ key: metricName(name), value, timestamp: at, step: 0 }))
  return [
    ...chunks(given, LIMITS.params).map((params) => ({ params })),
    ...chunks([...points, ...final], LIMITS.metrics).map((metrics) => ({ metrics })),
  ]
}

const wordOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size))

async function post(server: Server, call: string, body: JsonObject): Promise<JsonObject> {
  const answer = await ask(server, 'POST', call, body)
  if (answer !== undefined) return answer
  throw new Failure('MLFLOW_REFUSED', `"${server.uri}" knows nothing of what ${call} names.`, { exitCode: 1 })
}

/** A text of an answer. */
function text(answer: Json, ...path: readonly string[]): string {
  const found = path.reduce<unknown>((value, name) => (isRecord(value) ? value[name] : undefined), answer)
  if (typeof found === 'string') return found
  const message = `The server's answer has no \`${path.join('.')}\`. Is MLFLOW_TRACKING_URI an MLflow server's address?`
  throw new Failure('MLFLOW_REFUSED', message, { exitCode: 1 })
}
