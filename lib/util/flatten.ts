import type { Json, JsonObject } from './json.ts'

/** `perplexity.student` and its value, for every value of a tree. */
export const flatten = (value: JsonObject, separator = '.'): [string, Json][] =>
  Object.entries(value).flatMap(([name, inner]): [string, Json][] =>
    isObject(inner)
      ? flatten(inner, separator).map(([below, leaf]) => [`${name}${separator}${below}`, leaf])
      : [[name, inner]],
  )

export const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
