import type { JsonObject } from '../util/json.ts'
import { documentSchema, stageSchema } from './schema.ts'

type Schema = Readonly<Record<string, unknown>>

export interface StageSchema {
  readonly params: JsonObject
  readonly in: readonly string[]
}

/** What the stages' modules say of themselves, by the path in `run:`. */
export type StageSchemas = ReadonlyMap<string, StageSchema>

/**
 * The schema for editors: as written in pipeline.yaml, any value but a name may also be a reference, so `${a.b}` is
 * allowed wherever a map, a list or a number is expected. Under `with:` and `in:` it knows what the module of `run:` takes.
 */
export function editorSchema(stages: StageSchemas): string {
  const allOf = [...stages].map(([file, { params, in: inputs }]) => ({
    if: { properties: { run: { const: file } }, required: ['run'] },
    then: { properties: { with: orReference(params), in: inputsOf(inputs) } },
  }))
  const stage = { ...stageSchema, ...(allOf.length > 0 ? { allOf } : {}) }
  const { properties } = documentSchema
  const schema = { ...properties.stages, additionalProperties: stage }
  const document = { ...documentSchema, properties: { ...properties, stages: schema } }
  return `${JSON.stringify(withReferences(document), null, 2)}\n`
}

/** `targets?`, `scores{}` as properties: a text each, those without "?" needed. */
function inputsOf(declared: readonly string[]): Schema {
  const names = declared.map((text) => text.replace(/(\{\})?\??$/, ''))
  return {
    type: 'object',
    additionalProperties: false,
    required: names.filter((_, index) => !declared[index]!.endsWith('?')),
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string', minLength: 1 }])),
  }
}

function withReferences(schema: Schema): Schema {
  const entries = Object.entries(schema).map(([name, value]) => [name, inner(name, value)] as const)
  return Object.fromEntries(entries)
}

function inner(name: string, value: unknown): unknown {
  if (name === 'properties')
    return Object.fromEntries(Object.entries(value as Schema).map(([key, one]) => [key, orReference(one as Schema)]))
  return (name === 'items' || name === 'additionalProperties') && typeof value === 'object'
    ? orReference(value as Schema)
    : value
}

/** Keeps what is said of the value outside the choice, where editors look for it. */
function orReference(schema: Schema): Schema {
  const { description, default: otherwise, ...rest } = withReferences(schema)
  if (takesText(schema) || !('type' in schema || 'enum' in schema)) return withReferences(schema)
  const reference = { type: 'string', pattern: '^\\$\\{[^}]+\\}$' }
  const said = { ...(description === undefined ? {} : { description }), ...(otherwise === undefined ? {} : { default: otherwise }) } // prettier-ignore
  return { ...said, anyOf: [rest, reference] }
}

const takesText = ({ type }: Schema): boolean => type === 'string' || (Array.isArray(type) && type.includes('string'))
