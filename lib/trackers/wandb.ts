import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import type { JsonObject } from '../util/json.ts'
import { packageRoot } from '../util/package-root.ts'
import type { Logged } from './logged.ts'
import { namer } from './names.ts'
import type { Kept } from './services.ts'

/** What names have none of: dots, too, which W&B reads as those of nested metrics. */
const BARRED = /[^\p{L}\p{N}_\-/ ]/gu
/** The exit code by which the script says that W&B's client is not there. */
const NO_CLIENT = 3

/**
 * Logs an experiment as one run of Weights & Biases, by its own Python client and the variables that this one reads, and
 * gives the run's page, or its folder where WANDB_MODE is `offline`. Throws Failure WANDB_….
 */
export async function logToWandb(logged: Logged, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Kept> {
  const wanted = JSON.stringify({ ...requestOf(logged), project: env['WANDB_PROJECT'] || 'distil-pipeline' })
  const { code, out, errors } = await runScript(wanted, env, signal)
  if (code === NO_CLIENT) throw missing('`python3` has no wandb', errors)
  if (signal.aborted) throw new Failure('LOG_STOPPED', 'Logging to Weights & Biases was stopped.', { exitCode: 1 })
  if (code !== 0) throw failed('', errors)
  const answer = JSON.parse(out.trimEnd().split('\n').at(-1)!) as Kept | { server: string; failure: string }
  if ('failure' in answer) throw failed(` at "${answer.server}"`, answer.failure)
  return answer
}

const failed = (where: string, why: string): Failure =>
  new Failure('WANDB_FAILED', `Weights & Biases${where} took nothing: ${oneLine(why)}`, { exitCode: 1 })

/** The end, where Python says what it was. */
const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').slice(-500)

function missing(what: string, why: string): Failure {
  const advice = 'Weights & Biases is reached by its own Python client: `python3 -m pip install wandb` installs it'
  return new Failure('WANDB_MISSING', `${what} (${oneLine(why)}). ${advice}.`)
}

function requestOf({ hash, name, params, trainings, metrics }: Logged): JsonObject {
  const plain = namer(BARRED)
  const rows = trainings.flatMap(({ stage, points }) =>
    points.map(({ step, scalars }) => ({
      [`${plain(stage)}/step`]: step,
      ...Object.fromEntries(scalars.map(([measure, value]) => [`${plain(stage)}/${plain(measure)}`, value])),
    })),
  )
  return {
    id: name,
    hash,
    config: params,
    trainings: trainings.map(({ stage }) => plain(stage)),
    rows,
    metrics: Object.fromEntries(metrics.map(([measure, value]) => [plain(measure), value])),
  }
}

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

/** Throws Failure WANDB_MISSING where no Python starts. */
function runScript(input: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Ended> {
  const script = join(packageRoot(), 'lib', 'trackers', 'log_to_wandb.py')
  const child = spawn('python3', [script], { env, signal, stdio: 'pipe' })
  const [out, errors]: [string[], string[]] = [[], []]
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  child.stdin.on('error', () => undefined) // it ended before it read all; its exit code says why
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      if (error.name !== 'AbortError') reject(missing('`python3` could not be started', error.message))
    })
    child.on('close', (code) => {
      resolve({ code, out: out.join(''), errors: errors.join('') })
    })
  })
}
