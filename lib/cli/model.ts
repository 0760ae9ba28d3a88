import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fetchSource, pickModel } from '../data/sources.ts'
import { readExperiment } from '../pipeline/experiment.ts'
import { Failure } from '../util/failure.ts'
import { packageRoot } from '../util/package-root.ts'

/**
 * The folder of what a command was given as a model: `builtin:NAME`, `file:DIR`, `hub:OWNER/REPO@REVISION`, or the hash
 * of an experiment, whose distilled student is meant. Throws Failure EXPERIMENT_…, MODEL_MISSING, FILE_MISSING, HUB_….
 */
export async function modelFolder(model: string, signal: AbortSignal): Promise<string> {
  const [, scheme = '', rest = ''] = /^(builtin|file|hub):(.*)$/.exec(model) ?? []
  if (scheme === '') return studentOf(model)
  const hooks = { signal, onBytes: () => undefined, log: () => undefined }
  if (scheme === 'hub') return fetchSource(model, pickModel, hooks)
  const folder = scheme === 'file' ? resolve(rest) : join(packageRoot(), 'lib', 'data', 'builtin', rest)
  return fetchSource(folder, pickModel, hooks)
}

function studentOf(hash: string): string {
  const found = readExperiment(process.cwd(), hash)
  if (!found.ok) throw found.error
  const distilled = found.value.record.stages['distill']
  const folder = distilled && join(process.cwd(), 'artifacts', 'store', 'distill', distilled.key, 'student')
  if (folder !== undefined && existsSync(folder)) return folder
  const message = `Experiment ${found.value.record.hash.slice(0, 16)} has no distilled student here. Run it again, or give the model as file:DIR, builtin:NAME or hub:OWNER/REPO@REVISION.`
  throw new Failure('MODEL_MISSING', message)
}
