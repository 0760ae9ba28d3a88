import type { ErrorObject } from 'ajv'
import type { JsonObject } from '../util/json.ts'
import { nearest } from '../util/nearest.ts'
import { didYouMean, someOf } from './problems.ts'
import type { ConfigCode, Problems } from './problems.ts'
import { documentSchema, stageSchema } from './schema.ts'
import type { Document } from './schema.ts'
import type { Spot } from './source.ts'
import { describe, entriesOf, itemsOf } from './tree.ts'
import type { Tree } from './tree.ts'
import { validateDocument } from './validator.ts'

/** Holds the resolved document, given as JSON too, against the schema; mistakes are reported where they were written. */
export function checkSchema(document: Tree, json: JsonObject, problems: Problems): Document | undefined {
  const errors = validateDocument(json)
  for (const error of errors) report(document, error, problems)
  return errors.length === 0 ? (json as unknown as Document) : undefined
}

interface Found {
  readonly tree: Tree
  /** Where its key stands, where it has one: the better place for what it lacks. */
  readonly keyAt: Spot
}

function report(document: Tree, error: ErrorObject, problems: Problems): void {
  const path = error.instancePath.split('/').slice(1).map(unescape)
  const found = find(document, path)
  const subject = path.length === 0 ? 'The file' : `"${path.join('.')}"`
  const { code, message, at } = word(error, found, subject, path)
  problems.add(code, at ?? found.tree.at, message)
}

const unescape = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~')

function find(document: Tree, path: readonly string[]): Found {
  let found: Found = { tree: document, keyAt: document.at }
  for (const name of path) {
    const item = itemsOf(found.tree)[Number(name)]
    const entry = entriesOf(found.tree).get(name)
    if (item) found = { tree: item, keyAt: item.at }
    else if (entry) found = { tree: entry.value, keyAt: entry.keyAt }
  }
  return found
}

interface Wording {
  readonly code: ConfigCode
  readonly message: string
  readonly at?: Spot
}

function word(error: ErrorObject, { tree, keyAt }: Found, subject: string, path: readonly string[]): Wording {
  const params = error.params as Readonly<Record<string, unknown>>
  const invalid = (expected: string): Wording => ({
    code: 'VALUE_INVALID',
    message: `${subject} must be ${expected}, found ${describe(tree)}.${hint(path)}`,
  })
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(String(params.additionalProperty), tree, path)
    case 'required':
      return {
        code: 'KEY_MISSING',
        at: keyAt,
        message: `${subject} lacks "${String(params.missingProperty)}".${missingHint(params)}`,
      }
    case 'type':
      return invalid(typeNames(params.type))
    case 'const':
      return invalid(String(params.allowedValue))
    case 'minimum':
      return invalid(`at least ${String(params.limit)}`)
    case 'exclusiveMinimum':
      return invalid(`more than ${String(params.limit)}`)
    case 'pattern':
      return invalid('the name of an environment variable')
    case 'maxProperties':
      return invalid('a name, or one pair of a name and its file name')
    default:
      // minItems, minLength, minProperties
      return { code: 'VALUE_INVALID', message: `${subject} must not be empty.${hint(path)}` }
  }
}

function unknownKey(name: string, tree: Tree, path: readonly string[]): Wording {
  const known = knownKeys(path)
  const at = entriesOf(tree).get(name)?.keyAt
  const owner = path.length === 0 ? 'pipeline.yaml' : isNested(path[2]) ? `"${path[2]}"` : 'a stage'
  const message = `"${name}" is not a key of ${owner}.${didYouMean(nearest(name, known))} It has: ${known.join(', ')}.`
  return { code: 'KEY_UNKNOWN', message, ...(at && { at }) }
}

function knownKeys(path: readonly string[]): string[] {
  if (path.length === 0) return Object.keys(documentSchema.properties)
  return Object.keys(isNested(path[2]) ? stageSchema.properties[path[2]].properties : stageSchema.properties)
}

const isNested = (key: string | undefined): key is 'resources' | 'retries' => key === 'resources' || key === 'retries'

const TYPES: Readonly<Record<string, string>> = {
  object: 'a map',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
}

function typeNames(type: unknown): string {
  const names = (Array.isArray(type) ? type : String(type).split(',')).map(
    (name) => TYPES[String(name)] ?? String(name),
  )
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1) ?? ''}` : someOf(names)
}

/** What a key of a stage is for, in the schema's own words. */
function hint(path: readonly string[]): string {
  const properties: Readonly<Record<string, { readonly description: string }>> =
    path[0] === 'stages' ? stageSchema.properties : documentSchema.properties
  const name = path[0] === 'stages' && path.length > 2 ? path[2]! : (path[0] ?? '')
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined
  return property ? ` \`${name}:\` is ${property.description}.` : ''
}

const missingHint = ({ missingProperty }: Readonly<Record<string, unknown>>): string =>
  missingProperty === 'version' ? ' Write `version: 1`.' : ' Write `stages:` and under it a name and a stage.'
