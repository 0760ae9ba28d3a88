import { dirname, relative, resolve } from 'node:path'
import { listExperiments, readExperiment } from '../../pipeline/experiment.ts'
import type { ListedExperiment } from '../../pipeline/experiment.ts'
import { readLogged } from '../../trackers/logged.ts'
import type { Logged } from '../../trackers/logged.ts'
import { logToService } from '../../trackers/services.ts'
import type { Kept, Service } from '../../trackers/services.ts'
import { logToTensorboard } from '../../trackers/tensorboard.ts'
import { Failure } from '../../util/failure.ts'
import { flatten } from '../../util/flatten.ts'
import { write, writeJson } from '../output.ts'
import { printStageLog } from '../stage-log.ts'

export interface LogArguments {
  readonly to?: 'tensorboard' | Service
  readonly dir?: string
  readonly json?: boolean
}

/**
 * `pipeline log STAGE`: prints what a stage wrote. `pipeline log [HASH] --to TRACKER`: logs a recorded experiment, the
 * newest if none is named.
 */
export async function log(target: string | undefined, { to, dir, json }: LogArguments): Promise<number> {
  if (to === undefined) return printStageLog(target, dir, json)
  if (dir !== undefined && to !== 'tensorboard') {
    throw new Failure('DIR_UNUSED', `--dir is for \`--to tensorboard\`: "${to}" has no folder. Leave it out.`)
  }
  const logged = readLogged(target === undefined ? newest() : named(target))
  const kept =
    to === 'tensorboard'
      ? { where: logToTensorboard(logged, resolve(dir ?? 'artifacts/tensorboard')), already: false }
      : await logToService(to, logged, process.env, new AbortController().signal)
  if (json === true) writeJson({ to, ...kept, ...counts(logged) })
  else write(words(to, logged, kept))
  return 0
}

function newest(): ListedExperiment {
  const [found] = listExperiments(process.cwd())
  if (found !== undefined) return found
  throw new Failure('EXPERIMENT_UNKNOWN', 'No experiment is recorded here yet. `pipeline run` makes one.')
}

function named(hash: string): ListedExperiment {
  const found = readExperiment(process.cwd(), hash)
  if (found.ok) return found.value
  throw found.error
}

const counts = ({ hash, params, trainings, metrics }: Logged) => ({
  experiment: hash,
  params: flatten(params).length,
  trainings: Object.fromEntries(trainings.map(({ stage, points }) => [stage, points.length])),
  metrics: metrics.length,
})

function words(to: string, logged: Logged, { where, already }: Kept): string {
  const at = /^https?:/.test(where) ? where : relative(process.cwd(), where)
  if (already) return `${at}\nexperiment ${logged.name} is there already`
  const { params, trainings, metrics } = counts(logged)
  const points = Object.entries(trainings).map(([stage, count]) => `${count} points of ${stage}`)
  const look = to === 'tensorboard' ? [`tensorboard --logdir ${dirname(at)} shows it`] : []
  return [at, [`${params} parameters`, ...points, `${metrics} metrics`].join(', '), ...look].join('\n')
}
