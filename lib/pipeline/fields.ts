import type { ListedExperiment } from './experiment.ts'
import { Failure } from '../util/failure.ts'
import { flatten } from '../util/flatten.ts'
import type { Json } from '../util/json.ts'
import { nearest } from '../util/nearest.ts'

/** An experiment with all that a list can be sorted and filtered by; a field of several values, `tag`, has them all. */
export interface Row<Experiment = ListedExperiment> {
  readonly experiment: Experiment
  readonly values: ReadonlyMap<string, readonly Json[]>
}

const PARAMETERS = 'params.'
const METRICS = 'metrics.'

/** Parameters are those of `params:`, and those of stages, defaults filled in, that are not named there. */
export function rowOf(experiment: ListedExperiment): Row {
  const { record, tags, pinned } = experiment
  const stages = Object.entries(record.stages).flatMap(([stage, { with: parameters }]) =>
    flatten(parameters).map(([name, value]) => [`${stage}.${name}`, value] as const),
  )
  const named = (prefix: string, entries: readonly (readonly [string, Json])[]): [string, Json[]][] =>
    entries.map(([name, value]) => [prefix + name, [value]])
  const values = new Map<string, readonly Json[]>([
    ['at', [record.at]],
    ['tag', tags],
    ['pinned', [pinned]],
    ...named(PARAMETERS, flatten(record.params)),
    ...named(METRICS, flatten(record.metrics)),
  ])
  for (const [name, value] of named(PARAMETERS, stages)) if (!values.has(name)) values.set(name, value)
  return { experiment, values }
}

/** Full names of the fields of any of the rows, in the order of the first that has them. */
export const fieldsOf = (rows: readonly Pick<Row, 'values'>[]): string[] => [
  ...new Set(rows.flatMap(({ values }) => [...values.keys()])),
]

export const isParameter = (field: string): boolean => field.startsWith(PARAMETERS)
export const isMetric = (field: string): boolean => field.startsWith(METRICS)

/**
 * The parameters in which experiments differ. A stage's own parameter is left out where it goes with one already named (`distill.epochs` gives `control.epochs`),
 * and where an experiment has no such stage.
 */
export function differingParameters(
  rows: readonly Row<{ readonly record: Pick<ListedExperiment['record'], 'params'> }>[],
  fields: readonly string[],
): string[] {
  const declared = new Set(rows.flatMap(({ experiment }) => flatten(experiment.record.params).map(([name]) => name)))
  const known = new Set<string>()
  return fields.filter(isParameter).filter((field) => {
    const values = rows.map(({ values }) => values.get(field))
    const texts = values.map((value) => JSON.stringify(value ?? null))
    const all = texts.join('\n')
    const lacks = values.includes(undefined) && !declared.has(field.slice('params.'.length))
    if (lacks || new Set(texts).size < 2 || known.has(all)) return false
    known.add(all)
    return true
  })
}

/**
 * Metrics in the order in which they tell something: numbers in which the experiments differ, then those that they
 * share, then texts, such as the name of a model.
 */
export function tellingFirst(metrics: readonly string[], rows: readonly Pick<Row, 'values'>[]): string[] {
  const rank = (field: string): number => {
    const values = rows.map(({ values }) => values.get(field)?.[0])
    if (!values.some((value) => typeof value === 'number')) return 2
    return new Set(values).size > 1 ? 0 : 1
  }
  return [0, 1, 2].flatMap((wanted) => metrics.filter((field) => rank(field) === wanted))
}

/** A field as it is shown: without its prefix where that is not needed to tell it. */
export function shortName(field: string, fields: readonly string[]): string {
  const bare = field.replace(/^(params|metrics)\./, '')
  return fields.filter((other) => [bare, PARAMETERS + bare, METRICS + bare].includes(other)).length > 1 ? field : bare
}

/** The field that `name` means. Throws Failure FIELD_UNKNOWN, FIELD_AMBIGUOUS. */
export function findField(name: string, fields: readonly string[], option: string): string {
  if (fields.includes(name)) return name
  const found = [PARAMETERS + name, METRICS + name].filter((field) => fields.includes(field))
  if (found.length === 1) return found[0]!
  if (found.length > 1) {
    const message = `"${name}" in ${option} is a parameter and a metric: write "${found.join('" or "')}".`
    throw new Failure('FIELD_AMBIGUOUS', message)
  }
  const near = nearestField(name, fields)
  const meant = near === undefined ? '' : ` Did you mean "${near}"?`
  const known = 'Fields are parameters and metrics as `pipeline show` names them, tag, pinned and at.'
  throw new Failure('FIELD_UNKNOWN', `No experiment here has a field "${name}", as ${option} asks.${meant} ${known}`)
}

/** Of a group the first in it, of the end of a name the whole, else the name that is written most alike. */
function nearestField(name: string, fields: readonly string[]): string | undefined {
  const names = fields.map((field) => shortName(field, fields))
  const part = names.find((field) => field.startsWith(`${name}.`)) ?? names.find((field) => field.endsWith(`.${name}`))
  return part ?? nearest(name, [...names, ...fields])
}
