import { basename } from 'node:path'
import type { ExperimentRecord } from '../pipeline/experiment.ts'
import type { Provenance } from '../util/export.ts'
import { isRecord } from '../util/json.ts'
import type { JsonObject } from '../util/json.ts'
import { experimentCard } from './experiment-card.ts'
import { parseModel } from './model.ts'

/** What is known here of where a model comes from. Throws Failure EXPERIMENT_…. */
export function provenanceOf(model: string): Provenance {
  const named = parseModel(model)
  switch (named.kind) {
    case 'experiment':
      return ofExperiment(named.record)
    case 'hub':
      return { ...hubIds(model, []), made: `${sameWeights(`\`${model}\``)} ${UNTOLD}` }
    case 'file':
      return { datasets: [], made: `${sameWeights('a folder on the machine of who exported it')} ${UNTOLD}` }
    case 'builtin': {
      const made = 'They were trained by its `recipes/builtin-models.yaml`, and belong to it.'
      return { datasets: [], license: 'mit', made: `${sameWeights(`\`${model}\``)} ${made}` }
    }
  }
}

const UNTOLD = 'How they were trained and how well they score is not known to it.'

const sameWeights = (of: string): string => `The weights are those of ${of}; distil-pipeline wrote them in this form.`

function ofExperiment(record: ExperimentRecord): Provenance {
  const sources = {
    student: trace(record.resolved, 'distill', 'student'),
    teacher: trace(record.resolved, 'distill', 'targets', 'teacher'),
    text: trace(record.resolved, 'distill', 'tokens', 'corpus'),
  }
  const named = Object.entries(sources).map(([role, source]) => [role, source && nameOf(source)] as const)
  const made = experimentCard(record, Object.fromEntries(named))
  return { ...hubIds(sources.student, [sources.text]), made }
}

/**
 * The source from outside that an input of a stage comes from; undefined where the stages do not lead to one. Where an
 * input is made of another (`tokens` of `corpus`), `of` names the input of the stage that made it.
 */
function trace(resolved: JsonObject, stage: string, input: string, of?: string): string | undefined {
  const stages = resolved['stages']
  const found = isRecord(stages) ? stages[stage] : undefined
  const inputs = isRecord(found) ? found['in'] : undefined
  const given = isRecord(inputs) ? inputs[input] : undefined
  if (typeof given !== 'string') return undefined
  const [, above = '', output = ''] = /^([\w-]+)\.([\w-]+)$/.exec(given) ?? []
  if (!isRecord(stages) || !Object.hasOwn(stages, above)) return given
  return trace(resolved, above, of ?? output)
}

/** A path says nothing to others, and may say too much. */
const nameOf = (source: string): string =>
  /^(builtin|hub|https?):/.test(source) ? `\`${source}\`` : `a local folder, \`${basename(source)}\``

function hubIds(
  model: string | undefined,
  texts: readonly (string | undefined)[],
): Pick<Provenance, 'baseModel' | 'datasets'> {
  const id = (source: string | undefined, kind: string): string[] => {
    const [, found] = new RegExp(`^hub:${kind}([\\w.-]+/[\\w.-]+)@`).exec(source ?? '') ?? []
    return found === undefined ? [] : [found]
  }
  const [baseModel] = id(model, '')
  return { ...(baseModel === undefined ? {} : { baseModel }), datasets: texts.flatMap((text) => id(text, 'datasets/')) }
}
