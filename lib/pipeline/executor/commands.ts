import { execFile } from 'node:child_process'
import { Failure } from '../../util/failure.ts'
import { errorCode } from '../../util/error-code.ts'
import { environment, wordsOf } from './sbatch.ts'

export interface Ran {
  readonly ok: boolean
  readonly out: string
  /** What it says is wrong. */
  readonly words: string
}

const MOST_BYTES = 256 * 2 ** 20
const TIME_MS = 180_000

/** Runs one of Slurm's commands. Throws Failure SLURM_MISSING where there is none. */
export function slurmCommand(name: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const options = { env: environment(process.env), maxBuffer: MOST_BYTES, timeout: TIME_MS }
    const child = execFile(name, args, options, (error, out, stderr) => {
      if (error !== null && errorCode(error) === 'ENOENT') reject(missing(name))
      else resolve({ ok: error === null, out, words: wordsOf(stderr) })
    })
    // it may end before it has read its input
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

const missing = (name: string): Failure =>
  new Failure(
    'SLURM_MISSING',
    `There is no program "${name}", by which stages with \`executor: slurm\` are run. Run on a machine that hands jobs to the cluster, or with \`--executor local\`.`,
  )
