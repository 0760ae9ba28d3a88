import type { Event } from '../pipeline/event.ts'
import { readExperiment } from '../pipeline/experiment.ts'
import type { ExperimentRecord } from '../pipeline/experiment.ts'
import { readLogged } from '../trackers/logged.ts'
import { logToService, servicesSet } from '../trackers/services.ts'
import { Failure } from '../util/failure.ts'

/**
 * Logs an experiment that has just been recorded to every service whose variables are set. One that fails is a notice:
 * the run has succeeded all the same.
 */
export async function logRecorded(
  root: string,
  { hash }: ExperimentRecord,
  signal: AbortSignal,
  emit: (event: Event) => void,
): Promise<void> {
  for (const service of servicesSet(process.env)) {
    try {
      const found = readExperiment(root, hash)
      if (!found.ok) throw found.error
      const { where } = await logToService(service, readLogged(found.value), process.env, signal)
      emit({ type: 'logged', to: service, where })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const again = `The run itself is whole; \`pipeline log ${hash.slice(0, 16)} --to ${service}\` tries again.`
      emit({ type: 'notice', stage: null, code: error.code, message: `${error.message} ${again}` })
    }
  }
}
