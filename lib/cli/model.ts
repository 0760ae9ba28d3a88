import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findBuiltin } from '../pipeline/builtin.ts'
import { readExperiment } from '../pipeline/experiment.ts'
import { Failure } from '../util/failure.ts'

/**
 * What a tool can open of what a command was given as a model: a folder of `builtin:NAME`, of `file:DIR` or of the hash of
 * an experiment, whose distilled student is meant; `hub:` as it is. Throws Failure EXPERIMENT_…, MODEL_MISSING.
 */
export function modelSource(model: string): string {
  const [, scheme = '', rest = ''] = /^(builtin|file|hub):(.*)$/.exec(model) ?? []
  if (scheme === 'hub') return model
  if (scheme === 'file') return resolve(rest)
  return scheme === 'builtin' ? builtinModel(rest) : studentOf(model)
}

function builtinModel(name: string): string {
  const found = findBuiltin(name, 'model')
  if (!found.ok) throw new Failure('MODEL_MISSING', found.error)
  return found.value
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
