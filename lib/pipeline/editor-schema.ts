import { documentSchema } from './schema.ts'

type Schema = Readonly<Record<string, unknown>>

/**
 * The schema for editors: as written in pipeline.yaml, any value but a name may also be a reference, so `${a.b}` is
 * allowed wherever a map, a list or a number is expected. Written to pipeline.schema.json by `npm run schema`.
 */
export const editorSchema = (): string => `${JSON.stringify(withReferences(documentSchema), null, 2)}\n`

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

/** Keeps the description outside the choice, where editors look for it. */
function orReference(schema: Schema): Schema {
  const { description, ...rest } = withReferences(schema)
  if (takesText(schema) || !('type' in schema)) return withReferences(schema)
  const reference = { type: 'string', pattern: '^\\$\\{[^}]+\\}$' }
  return { ...(description === undefined ? {} : { description }), anyOf: [rest, reference] }
}

const takesText = ({ type }: Schema): boolean => type === 'string' || (Array.isArray(type) && type.includes('string'))
