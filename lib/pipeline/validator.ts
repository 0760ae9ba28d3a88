import { Ajv } from 'ajv'
import type { ErrorObject } from 'ajv'
import type { Json } from '../util/json.ts'
import { ajvOptions } from './ajv-options.ts'
import { documentSchema } from './schema.ts'

const validateCompiled = new Ajv(ajvOptions).compile(documentSchema)

/** All the ways in which a document breaks the schema. The bundled command has this module as generated code. */
export function validateDocument(document: Json): readonly ErrorObject[] {
  return validateCompiled(document) ? [] : (validateCompiled.errors ?? [])
}
