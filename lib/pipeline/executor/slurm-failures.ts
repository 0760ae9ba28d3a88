import { readFileSync } from 'node:fs'
import { Failure } from '../../util/failure.ts'
import type { Stage } from '../pipeline.ts'

/** How a job ended that did not say so itself. */
export interface JobFate {
  readonly id: string
  /** Undefined where Slurm does not know the job any more. */
  readonly state: string | undefined
  readonly node: string
  /** `exit code 3` or `signal 9`, where the accounts tell. */
  readonly exit?: string | undefined
  /** What Slurm and the job wrote to its output file. */
  readonly output: string
}

const KILLED_FOR_MEMORY = /oom[- ]kill|exceeded (job |step )?memory limit/i

/** In words: what happened, what was asked for, what to raise. */
export function jobFailure(stage: Stage, { id, state, node, exit, output }: JobFate): Failure {
  const job = `Job ${id} of stage "${stage.id}"`
  const fail = (code: Failure['code'], message: string): Failure =>
    new Failure(code, message, { exitCode: 1, place: stage.place })
  if (state === 'OUT_OF_MEMORY' || (state !== 'COMPLETED' && KILLED_FOR_MEMORY.test(output)))
    return fail('SLURM_OUT_OF_MEMORY', `${job} ${memoryWords(stage)}`)
  switch (state) {
    case 'TIMEOUT':
    case 'DEADLINE':
      return fail('SLURM_TIMEOUT', `${job} ${timeWords(stage)} It keeps its checkpoint.`)
    case 'NODE_FAIL':
    case 'BOOT_FAIL':
      return fail(
        'SLURM_NODE_FAILED',
        `${job} ended because its node "${node}" failed. Run again: it keeps its checkpoint.`,
      )
    case 'PREEMPTED':
      return fail(
        'SLURM_PREEMPTED',
        `${job} was ended to make room for another job. Run again: it keeps its checkpoint. \`retries\` does so itself.`,
      )
    case 'CANCELLED':
    case 'REVOKED':
      return fail(
        'SLURM_CANCELLED',
        `${job} was cancelled from outside of this run, by scancel or an administrator. Run again: it keeps its checkpoint.`,
      )
    case undefined:
      return fail(
        'SLURM_LOST',
        `${job} is not known to Slurm any more, and left no result.${outputWords(output)} Run again.`,
      )
    default:
      return fail(
        'SLURM_JOB_DIED',
        `${job} ended as ${state}${exit === undefined ? '' : ` with ${exit}`}${node === '' ? '' : ` on node "${node}"`} before its work was done.${outputWords(output)}`,
      )
  }
}

/** Its nodes wrote elsewhere, or what they wrote is not seen here. */
export const unseen = (stage: Stage, folder: string): Failure =>
  new Failure(
    'SLURM_LOST',
    `The job of stage "${stage.id}" says that its result is in "${folder}", where this machine sees none. The project's folder must be one that all nodes share.`,
    { exitCode: 1, place: stage.place },
  )

export const refused = (stage: Stage, words: string): Failure =>
  new Failure('SLURM_REFUSED', `Slurm does not take the job of stage "${stage.id}": ${words}`, { place: stage.place })

function memoryWords({ resources }: Stage): string {
  const asked =
    resources.memory > 0
      ? `it asked for ${Math.ceil(resources.memory / 2 ** 20)} MiB`
      : "it asked for none and got the partition's default"
  return `was ended because it took more memory than it had: ${asked}. Raise its \`resources.memory\`.`
}

function timeWords({ timeoutSeconds, slurm }: Stage): string {
  const asked = slurm?.timeSeconds
  if (asked !== undefined) return `reached its time limit of ${asked} s. Raise its \`slurm.time\`.`
  if (timeoutSeconds !== undefined) return `reached its time limit of ${timeoutSeconds} s. Raise its \`timeout\`.`
  return "reached the partition's time limit, as it asks for no time of its own. Give it a `timeout` or `slurm.time`."
}

const outputWords = (output: string): string => (output === '' ? '' : ` It wrote: ${output}`)

const MOST_CHARACTERS = 2000

/** The end of a job's output file. */
export function outputOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().slice(-MOST_CHARACTERS)
  } catch {
    return ''
  }
}
