import type { JsonObject } from '../util/json.ts'
import { paramsSchema } from './editor-params.ts'
import type { Schema } from './editor-params.ts'
import { documentSchema, sourceSchema, stageSchema } from './schema.ts'
import type { MapTree } from './tree.ts'

export interface StageSchema {
  readonly params: JsonObject
  readonly in: readonly string[]
}

/** What the stages' modules say of themselves, by the path in `run:`. */
export type StageSchemas = ReadonlyMap<string, StageSchema>

/**
 * The schema for editors: as written in pipeline.yaml, any value but a name may also be a reference, so `${a.b}` is
 * allowed wherever a map, a list or a number is expected. Under `with:` and `in:` it knows what the module of `run:` takes;
 * under `params:` what the stages of `document`, which is pipeline.yaml as it is written, take by `${}`.
 */
export function editorSchema(stages: StageSchemas, document: MapTree): string {
  const allOf = [...stages].map(([file, { params, in: inputs }]) => ({
    if: { properties: { run: { const: file } }, required: ['run'] },
    then: { properties: { with: orReference(params), in: inputsOf(inputs) } },
  }))
  const stage = { ...stageSchema, ...(allOf.length > 0 ? { allOf } : {}) }
  const { properties } = documentSchema
  const params = { ...paramsSchema(document, (run) => stageWith(stages.get(run ?? ''))), ...properties.params }
  const schema = { ...properties.stages, additionalProperties: stage }
  const whole = { ...documentSchema, properties: { ...properties, params, stages: schema } }
  const made = { $comment: MADE_BY, modules: [...stages.keys()], ...withReferences(whole) }
  return `${JSON.stringify(made, null, 2)}\n`
}

const MADE_BY =
  'written by `npx pipeline schema`, and by `npx pipeline run` when these modules or pipeline.yaml changed'

/** The modules that a schema was made from; none of a text that is no such schema. */
export function modulesOf(schema: string): readonly string[] {
  try {
    const { modules } = JSON.parse(schema) as { readonly modules?: unknown }
    return Array.isArray(modules) ? modules.filter((one) => typeof one === 'string') : []
  } catch {
    return []
  }
}

function stageWith(module: StageSchema | undefined): Schema {
  if (!module) return stageSchema
  const { properties } = stageSchema
  return { ...stageSchema, properties: { ...properties, with: module.params, in: inputsOf(module.in) } }
}

/** `targets?`, `scores{}` as properties: a text each, those without "?" needed. */
function inputsOf(declared: readonly string[]): Schema {
  const names = declared.map((text) => text.replace(/(\{\})?\??$/, ''))
  return {
    type: 'object',
    additionalProperties: false,
    required: names.filter((_, index) => !declared[index]!.endsWith('?')),
    properties: Object.fromEntries(names.map((name) => [name, sourceSchema])),
  }
}

function withReferences(schema: Schema): Schema {
  const entries = Object.entries(schema).map(([name, value]) => [name, inner(name, value)] as const)
  return Object.fromEntries(entries)
}

function inner(name: string, value: unknown): unknown {
  if (name === 'properties')
    return Object.fromEntries(Object.entries(value as Schema).map(([key, one]) => [key, orReference(one as Schema)]))
  if (name === 'allOf') return (value as readonly Schema[]).map(orReference)
  return (name === 'items' || name === 'additionalProperties') && typeof value === 'object'
    ? orReference(value as Schema)
    : value
}

/** Keeps what is said of the value outside the choice, where editors look for it; they do not show defaults by themselves. */
function orReference(schema: Schema): Schema {
  const { description, default: otherwise, anyOf, ...rest } = withReferences(schema)
  const shown = otherwise === undefined ? [] : [`Default: ${JSON.stringify(otherwise)}`]
  const text = [...(typeof description === 'string' ? [description] : []), ...shown].join('\n\n')
  const said = { ...(text === '' ? {} : { description: text }), ...(otherwise === undefined ? {} : { default: otherwise }) } // prettier-ignore
  if (anyOf) return { ...said, ...rest, anyOf: [...(anyOf as readonly Schema[]).map(withReferences), reference] }
  if (takesText(schema) || !('type' in schema || 'enum' in schema)) return { ...said, ...rest }
  return { ...said, anyOf: [rest, reference] }
}

const reference = { type: 'string', pattern: '^\\$\\{[^}]+\\}$' }

const takesText = ({ type }: Schema): boolean => type === 'string' || (Array.isArray(type) && type.includes('string'))
