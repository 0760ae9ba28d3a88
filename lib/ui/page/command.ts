import { flatten } from '../../util/flatten.ts'
import { quoted } from '../../util/shell-word.ts'
import type { Json, JsonObject } from '../api.ts'

/**
 * The command that runs what `files` (pipeline.yaml and the recipes over it) declare with these parameters: those are set
 * that the files give otherwise, and removed that they alone have. `now` is what they give; null where that is not known,
 * and all are set.
 */
export function runCommand(files: readonly string[], params: JsonObject, now: JsonObject | null): string {
  const [wanted, given] = [new Map(flatten(params)), new Map(flatten(now ?? params))]
  const settings = [...given.keys()].filter(
    (name) => now === null || textOf(given.get(name)) !== textOf(wanted.get(name)),
  )
  const words = [
    ...files.slice(1).flatMap((file) => ['-p', quoted(file)]),
    ...settings.flatMap((name) => ['--set', quoted(`${name}=${textOf(wanted.get(name))}`)]),
  ]
  return ['npx pipeline run', ...words].join(' ')
}

/** Parameters that the files do not have any more, which cannot be set. */
export function goneParameters(params: JsonObject, now: JsonObject | null): string[] {
  const given = new Set(flatten(now ?? params).map(([name]) => name))
  return flatten(params).flatMap(([name]) => (given.has(name) ? [] : [name]))
}

/** As a setting has it: JSON, which is YAML too. A text that means itself stands bare. */
export function textOf(value: Json | undefined): string {
  if (typeof value !== 'string') return JSON.stringify(value ?? null)
  return /^[A-Za-z][\w./:@-]*$/.test(value) && !/^(true|false|null|yes|no|on|off)$/i.test(value)
    ? value
    : JSON.stringify(value)
}

/** What a person wrote for a parameter. */
export function readSetting(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** The tree with one value replaced; `name` is that of a leaf. */
export function withValue(params: JsonObject, name: string, value: Json): JsonObject {
  const [first = '', ...rest] = name.split('.')
  if (rest.length === 0) return { ...params, [first]: value }
  const inner = params[first]
  return { ...params, [first]: withValue(isTree(inner) ? inner : {}, rest.join('.'), value) }
}

const isTree = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
