import { join } from 'node:path'
import type { ErrorObject } from 'ajv'
import type { Code } from '../util/codes/index.ts'
import { Failure } from '../util/failure.ts'
import type { Place } from '../util/failure.ts'
import type { JsonObject } from '../util/json.ts'
import { nearest } from '../util/nearest.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { digestOf } from './canonical.ts'
import type { Digest } from './canonical.ts'
import type { Description } from './describe.ts'
import { readSealed, writeSealed } from './files.ts'
import type { Stage } from './pipeline.ts'
import type { Project } from './project.ts'

/** Holds a stage's `in` and `out` against what its module declares. */
export function checkNames(stage: Stage, file: string, description: Description): Failure[] {
  if ('error' in description) {
    const what = `The module "${file}" of stage "${stage.id}" cannot be loaded: ${description.error}`
    return [new Failure('MODULE_BROKEN', what, { place: stage.place })]
  }
  return [...checkInputs(stage, description.in), ...checkOutputs(stage, description.out)]
}

function checkInputs(stage: Stage, declared: readonly string[]): Failure[] {
  const failures: Failure[] = []
  const names = new Map(declared.map((text) => [text.replace(/(\{\})?\??$/, ''), text]))
  for (const [name, text] of names) {
    const input = stage.in[name]
    if (input === undefined) {
      if (!text.endsWith('?'))
        failures.push(fail(stage, `in`, 'INPUT_ABSENT', `Stage "${stage.id}" needs the input "${name}".`))
    } else if ((input.kind === 'gather') !== text.includes('{}')) {
      const expected = text.includes('{}') ? 'all cells of a matrix' : 'one path'
      failures.push(
        fail(stage, `in.${name}`, 'INPUT_SHAPE', `The input "${name}" of stage "${stage.id}" takes ${expected}.`),
      )
    }
  }
  for (const name of Object.keys(stage.in)) {
    if (!names.has(name))
      failures.push(fail(stage, `in.${name}`, 'INPUT_UNKNOWN', unknown(stage, 'input', name, [...names.keys()])))
  }
  return failures
}

function checkOutputs(stage: Stage, declared: readonly string[]): Failure[] {
  const known = declared.map((text) => text.replace(/\?$/, ''))
  const missing = declared.filter((text) => !text.endsWith('?') && !Object.hasOwn(stage.out, text))
  const surplus = Object.keys(stage.out).filter((name) => !known.includes(name))
  return [
    ...missing.map((name) =>
      fail(stage, 'out', 'OUTPUT_ABSENT', `Stage "${stage.id}" makes the output "${name}": add it to \`out\`.`),
    ),
    ...surplus.map((name) => fail(stage, `out.${name}`, 'OUTPUT_UNKNOWN', unknown(stage, 'output', name, known))),
  ]
}

/** Refuses `shards` of a stage whose work does not divide. */
export function checkShards(stage: Stage, description: Description | undefined): Failure[] {
  if (stage.shards === undefined || (description !== undefined && ('error' in description || description.unit)))
    return []
  const why =
    stage.program.kind === 'command'
      ? 'it is a program, whose work is not known to divide'
      : `its module "${stage.program.file}" does not declare how its work divides`
  const message = `Stage "${stage.id}" has \`shards\`, but ${why}. Remove \`shards\`, or declare it: \`defineStage({ …, shards: { unit, units, run, merge } })\`.`
  return [fail(stage, 'shards', 'SHARDS_REFUSED', message)]
}

const unknown = (stage: Stage, what: string, name: string, known: readonly string[]): string =>
  `The module of stage "${stage.id}" has no ${what} "${name}"${instead(name, known)}.`

/** The nearest right name, and all of them. */
function instead(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  const meant = near === undefined ? '.' : `; did you mean "${near}"?`
  return `${meant} It has ${known.map((one) => `"${one}"`).join(', ') || 'none'}`
}

const fail = (stage: Stage, path: string, code: Code, message: string): Failure =>
  new Failure(code, message, { place: placeOf(stage, path) })

/** Where a value was written, else where the nearest thing around it was. */
export function placeOf(stage: Stage, path: string): Place {
  const places = stage.places()
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const place = places[at]
    if (place !== undefined) return place
  }
  return stage.place
}

/** Validates `with` by the module's schema and fills in its defaults. An answer is kept: ajv takes 70 ms to load and compile. */
export async function fillParameters(
  stage: Stage,
  code: Digest,
  schema: JsonObject,
  project: Project,
): Promise<Result<JsonObject, Failure[]>> {
  const memo = join(project.cache, 'filled', `${digestOf(['filled', code, stage.with])}.json`)
  const known = readSealed(memo)
  if (known !== undefined) return ok(known as JsonObject)
  const { Ajv } = await import('ajv')
  const validate = new Ajv({ allErrors: true, useDefaults: true, strict: false, allowUnionTypes: true }).compile(
    closed(schema),
  )
  const filled = structuredClone(stage.with)
  if (!validate(filled)) {
    const errors = withoutOtherChoices(validate.errors ?? [])
    return err(errors.map((error) => parameterFailure(stage, error, schema)))
  }
  writeSealed(memo, filled)
  return ok(filled)
}

/** A parameter that the module does not know is a mistake, also where its author did not say so. */
const closed = (schema: JsonObject): JsonObject => ({
  type: 'object',
  ...schema,
  ...('properties' in schema && !('additionalProperties' in schema) ? { additionalProperties: false } : {}),
})

/**
 * Where a parameter may be one of several things, such as a name or a map, what is wrong with it as the thing that it is:
 * not that it is none of the others. Where it is none of them all, the types that it may have.
 */
function withoutOtherChoices(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const found = errors.filter(({ keyword }) => keyword === 'anyOf')
  return found.reduce((left, choice) => {
    const branchOf = ({ schemaPath }: ErrorObject): string | undefined =>
      schemaPath.startsWith(`${choice.schemaPath}/`)
        ? schemaPath.slice(choice.schemaPath.length + 1).split('/')[0]
        : undefined
    const wrongTypes = left.filter(
      (error) => error.keyword === 'type' && error.schemaPath === `${choice.schemaPath}/${branchOf(error)}/type`,
    )
    const otherBranches = new Set(wrongTypes.map(branchOf))
    const own = left.filter((error) => error !== choice && !otherBranches.has(branchOf(error)))
    if (own.some((error) => branchOf(error) !== undefined)) return own
    const types = wrongTypes.map(({ params }) => String((params as { type: unknown }).type)).join(',')
    return types === '' ? left : [...own, { ...choice, keyword: 'type', message: `must be ${types}` }]
  }, errors)
}

function parameterFailure(stage: Stage, error: ErrorObject, schema: JsonObject): Failure {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer)
  if (error.keyword === 'additionalProperties') {
    const { additionalProperty: name } = error.params as { additionalProperty: string }
    const message = unknownParameter(stage, [...path, name], schemaAt(schema, path))
    return fail(stage, ['with', ...path, name].join('.'), 'PARAMETER_UNKNOWN', message)
  }
  const name = path.join('.') || 'with'
  const value = valueAt(stage.with, path)
  const found = value === undefined ? 'nothing' : JSON.stringify(value)
  const allowed =
    error.keyword === 'enum' ? `: ${JSON.stringify((error.params as { allowedValues: unknown }).allowedValues)}` : ''
  const code = error.keyword === 'required' ? 'PARAMETER_ABSENT' : 'PARAMETER_INVALID'
  return fail(
    stage,
    ['with', ...path].join('.'),
    code,
    `Stage "${stage.id}": "${name}" ${error.message ?? 'is wrong'}${allowed}; found ${found}.`,
  )
}

function unknownParameter(stage: Stage, path: readonly string[], schema: JsonObject): string {
  const around = path.slice(0, -1).map((part) => `${part}.`)
  const known = Object.keys((schema.properties ?? {}) as JsonObject).map((name) => around.join('') + name)
  return unknown(stage, 'parameter', path.join('.'), known)
}

/** What is said of a parameter within others; of one that may be several things, what is said of the map. */
const schemaAt = (schema: JsonObject, path: readonly string[]): JsonObject =>
  path.reduce((at, name) => asMap(((at.properties ?? {}) as Record<string, JsonObject>)[name] ?? {}), schema)

const asMap = (schema: JsonObject): JsonObject =>
  ((schema.anyOf ?? []) as readonly JsonObject[]).find((one) => 'properties' in one) ?? schema

const unescapePointer = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~')

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  )
