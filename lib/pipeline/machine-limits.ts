import { Failure } from '../util/failure.ts'
import { machineMemory } from '../util/machine.ts'
import type { Stage } from './pipeline.ts'
import type { StagePlan } from './plan.ts'
import { gib } from '../util/gib.ts'

/**
 * What is wrong where a stage that will run, or may, asks for more memory than this machine has: it would fill it, hours
 * into a run. A result that is there may have been made on a larger one. `plan` is asked for only where it matters.
 */
export async function beyondMachine(
  stages: readonly Stage[],
  plan: () => Promise<readonly StagePlan[]>,
): Promise<Failure[]> {
  const most = machineMemory()
  const large = stages.filter(({ resources }) => resources.memory > most)
  if (large.length === 0) return []
  const runs = new Set((await plan()).flatMap(({ stage, state }) => (/run/.test(state) ? [stage] : [])))
  return large.filter(({ id }) => runs.has(id)).map((stage) => tooLarge(stage, most))
}

function tooLarge({ id, resources, place }: Stage, most: number): Failure {
  const message = `Stage "${id}" asks for ${gib(resources.memory)} of memory, and this machine has ${gib(most)}. Run it on a larger one, or lower its \`resources.memory\`.`
  return new Failure('MEMORY_TOO_LARGE', message, { place })
}
