import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findBuiltin } from '../pipeline/builtin.ts'
import { readExperiment } from '../pipeline/experiment.ts'
import type { ExperimentRecord } from '../pipeline/experiment.ts'
import { throughLinks } from '../pipeline/link.ts'
import { Failure } from '../util/failure.ts'

/** What a command was given as a model: a source, or the hash of an experiment, whose distilled student is meant. */
export type NamedModel =
  | { readonly kind: 'builtin' | 'file' | 'hub'; readonly name: string }
  | { readonly kind: 'experiment'; readonly record: ExperimentRecord }

/** Throws Failure EXPERIMENT_…. */
export function parseModel(model: string): NamedModel {
  const [, kind, name = ''] = /^(builtin|file|hub):(.*)$/.exec(model) ?? []
  if (kind !== undefined) return { kind: kind as 'builtin' | 'file' | 'hub', name }
  const found = readExperiment(process.cwd(), model)
  if (!found.ok) throw found.error
  return { kind: 'experiment', record: found.value.record }
}

/** What a tool can open of it: a folder, or `hub:` as it is. Throws Failure EXPERIMENT_…, MODEL_MISSING. */
export function modelSource(model: string): string {
  const named = parseModel(model)
  switch (named.kind) {
    case 'hub':
      return model
    case 'file':
      return throughLinks(resolve(named.name))
    case 'builtin':
      return builtinModel(named.name)
    case 'experiment':
      return studentOf(named.record)
  }
}

function builtinModel(name: string): string {
  const found = findBuiltin(name, 'model')
  if (!found.ok) throw new Failure('MODEL_MISSING', found.error)
  return found.value
}

function studentOf({ hash, stages }: ExperimentRecord): string {
  const distilled = stages['distill']
  const folder = distilled && join(process.cwd(), 'artifacts', 'store', 'distill', distilled.key, 'student')
  if (folder !== undefined && existsSync(folder)) return folder
  const message = `Experiment ${hash.slice(0, 16)} has no distilled student here. Run it again, or give the model as file:DIR, builtin:NAME or hub:OWNER/REPO@REVISION.`
  throw new Failure('MODEL_MISSING', message)
}
