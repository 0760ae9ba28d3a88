import { Ajv } from 'ajv'
import type { ErrorObject } from 'ajv'
import type { Json } from '../util/json.ts'
import { documentSchema } from './schema.ts'

/** How the schema is compiled: here at run time, and for the bundled command while it is bundled. */
export const ajvOptions = { allErrors: true, allowUnionTypes: true, strictTypes: false } as const

const validateCompiled = new Ajv(ajvOptions).compile(documentSchema)

/** All the ways in which a document breaks the schema. The bundled command has this module as generated code. */
export function validateDocument(document: Json): readonly ErrorObject[] {
  return validateCompiled(document) ? [] : (validateCompiled.errors ?? [])
}
