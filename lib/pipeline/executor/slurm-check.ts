import { Failure } from '../../util/failure.ts'
import type { Stage } from '../pipeline.ts'
import type { StagePlan } from '../plan.ts'
import { slurmCommand } from './commands.ts'
import { isPassing, requestOf } from './sbatch.ts'
import { trustWords } from './slurm-failures.ts'

/**
 * What Slurm would not take of the stages that will run as its jobs, or may: before anything runs, and not hours into
 * it. `plan` is asked for only where there are such stages.
 */
export async function refusedBySlurm(
  stages: readonly Stage[],
  graceSeconds: number,
  plan: () => Promise<readonly StagePlan[]>,
): Promise<Failure[]> {
  if (stages.length === 0) return []
  const runs = new Set((await plan()).flatMap(({ stage, state }) => (/run/.test(state) ? [stage] : [])))
  // cells of a matrix ask for the same
  const asking = new Map(stages.filter(({ id }) => runs.has(id)).map((stage) => [stage.name, stage]))
  const failures: Failure[] = []
  for (const stage of asking.values()) {
    const { ok, words } = await slurmCommand(
      'sbatch',
      ['--test-only', ...requestOf(stage, graceSeconds)],
      '#!/bin/sh\n',
    )
    if (!ok && !isPassing(words)) failures.push(await refusal(stage, words))
  }
  return failures
}

async function refusal(stage: Stage, words: string): Promise<Failure> {
  const there = /partition/i.test(words) ? ` There are the partitions ${await partitions()}.` : ''
  const message = `Slurm would not take the job of stage "${stage.id}": ${words}${trustWords(words)}${there}`
  return new Failure('SLURM_REFUSED', message, { place: stage.place })
}

async function partitions(): Promise<string> {
  const { out } = await slurmCommand('sinfo', ['--noheader', '--format=%R'])
  return [...new Set(out.split('\n').filter((name) => name !== ''))].map((name) => `"${name}"`).join(', ')
}
