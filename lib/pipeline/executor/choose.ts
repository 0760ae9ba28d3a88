import type { Failure } from '../../util/failure.ts'
import { beyondMachine } from '../machine-limits.ts'
import type { ExecutorName, Stage } from '../pipeline.ts'
import type { StagePlan } from '../plan.ts'
import { refusedBySlurm } from './slurm-check.ts'

/** Where a stage runs: as the command says, or as its pipeline does. In no key. */
export const executorOf = (stage: Stage, chosen: ExecutorName | undefined): ExecutorName =>
  chosen ?? stage.executor ?? 'local'

/** From a request to stop to the end of a stage that does not, if not said. */
export const GRACE_SECONDS = 10

interface Chosen {
  readonly executor?: ExecutorName | undefined
  readonly graceSeconds?: number | undefined
}

/** What is wrong where a stage asks for more than there is where it will run, or may. */
export async function refusedBeforehand(
  stages: readonly Stage[],
  { executor, graceSeconds = GRACE_SECONDS }: Chosen,
  plan: () => Promise<readonly StagePlan[]>,
): Promise<Failure[]> {
  const [here, jobs] = (['local', 'slurm'] as const).map((name) =>
    stages.filter((stage) => executorOf(stage, executor) === name),
  )
  return [...(await beyondMachine(here!, plan)), ...(await refusedBySlurm(jobs!, graceSeconds, plan))]
}
