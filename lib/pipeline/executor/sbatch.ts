import { join } from 'node:path'
import type { Stage } from '../pipeline.ts'
import type { Batch } from './order.ts'
import { codeFile, outputFile } from './order.ts'

/** What a job takes before its stage starts and after it has ended; beyond it, Slurm ends what hangs. */
const MARGIN_SECONDS = 60

/** What the process takes that watches over the stage's in a job, beside what the stage asked for. */
const OWN_BYTES = 128 * 2 ** 20
const MIB = 2 ** 20

/** What a stage's jobs ask of Slurm, as options of sbatch. */
export function requestOf({ resources, timeoutSeconds, slurm = {} }: Stage, graceSeconds: number): string[] {
  const { gpu, cpu, memory } = resources
  const limit = timeoutSeconds === undefined ? undefined : timeoutSeconds + graceSeconds + MARGIN_SECONDS
  const time = slurm.timeSeconds ?? limit
  const named = {
    partition: slurm.partition,
    account: slurm.account,
    qos: slurm.qos,
    constraint: slurm.constraint,
    gres: gpu > 0 ? `gpu:${gpu}` : undefined,
    'cpus-per-task': cpu > 0 ? cpu : undefined,
    mem: memory > 0 ? `${Math.ceil((memory + OWN_BYTES) / MIB)}M` : undefined,
    time: time === undefined ? undefined : Math.ceil(time / 60),
  }
  const options = Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]))
  return ['--nodes=1', '--ntasks=1', ...options, ...(slurm.options ?? [])]
}

/** `pipeline:distill:0123456789ab`: the stage for people, the token for who looks for the jobs of a batch. */
export const jobName = (stage: string, token: string): string => `pipeline:${stage}:${token}`

export const tokenOf = (name: string): string | undefined => /^pipeline:.*:([0-9a-f]{12})$/.exec(name)?.[1]

/** All options with which a batch is handed in; its script comes on the standard input. */
export function submission(stage: Stage, folder: string, token: string, batch: Batch): string[] {
  const count = batch.keys.length
  const place = count === 1 ? outputFile(folder, 0) : outputFile(folder, '%a')
  return [
    '--parsable',
    `--job-name=${jobName(stage.name, token)}`,
    `--chdir=${batch.root}`,
    `--output=${place}`,
    '--open-mode=append',
    '--export=ALL',
    // after its node has failed, or to make room for another job: it goes on from its checkpoint
    '--requeue',
    ...(count === 1 ? [] : [`--array=0-${count - 1}`]),
    ...requestOf(stage, batch.graceSeconds),
  ]
}

/** Lays the job's program to where its packages resolve, should it not be there any more, and becomes it. */
export function script(folder: string, { job, tool }: Pick<Batch, 'job' | 'tool'>): string {
  const lay = [job.digest, ...job.workers].map((digest) => {
    const [from, to] = [codeFile(folder, digest), join(tool.cache, `${digest}.mjs`)].map(quoted)
    return `[ -f ${to!} ] || { mkdir -p ${quoted(tool.cache)} && cp ${from!} ${to!}.$$ && mv ${to!}.$$ ${to!}; }`
  })
  const program = quoted(join(tool.cache, `${job.digest}.mjs`))
  const order = `${quoted(folder)} "\${SLURM_ARRAY_TASK_ID:-0}"`
  return ['#!/bin/sh', ...lay, `exec ${quoted(process.execPath)} ${program} ${order}`, ''].join('\n')
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** A driver that is itself a job must not hand its own job's settings on. */
export const environment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^SLURM_/.test(name) || name === 'SLURM_CONF'))

/** The id in what `sbatch --parsable` prints: `123`, or `123;cluster`. */
export const submittedId = (out: string): string | undefined => /^(\d+)(;.*)?$/m.exec(out.trim())?.[1]

/** Whether Slurm takes no more jobs for now, of anyone or of this user. */
export const isFull = (words: string): boolean =>
  /temporarily unable to accept|limit.*(reached|exceeded)|(Max|Grp)SubmitJob/i.test(words)

/** Whether sbatch may take the same later: the controller is away, or the queue is full. */
export const isPassing = (words: string): boolean =>
  isFull(words) ||
  /unable to contact|timed out|temporarily|connection refused|try again|communication connection|Slurm backup controller in standby/i.test(
    words,
  )

/** The lines of sbatch without what it puts before them. */
export const wordsOf = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.replace(/^(sbatch|squeue|scancel|sinfo): (error: )?/, '').trim())
    .filter((line) => line !== '')
    .join('; ')
    .replace(/[^.]$/, '$&.')
