/** A line of a data set, as it was parsed. */
export type Json = Readonly<Record<string, unknown>>

/** Those fields, each a text; or what is wrong with the first that is none. */
export function textsOf<Name extends string>(line: Json, ...names: Name[]): Readonly<Record<Name, string>> | string {
  const wrong = names.find((name) => !isText(line[name]))
  if (wrong !== undefined) return `"${wrong}" must be a text that is not empty, found ${shown(line[wrong])}`
  return Object.fromEntries(names.map((name) => [name, line[name]])) as Record<Name, string>
}

/** An index that the file counts from `first` on, as a number or, as some copies have it, as text; from 0 on. */
export function indexOf(line: Json, name: string, count: number, first = 0): number | string {
  const value = line[name]
  const index = Array.from({ length: count }, (_, n) => first + n).findIndex((n) => value === n || value === String(n))
  if (index !== -1) return index
  return `"${name}" must be a whole number from ${first} to ${first + count - 1}, found ${shown(value)}`
}

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

export const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length >= 2 && value.every(isText)

/** What was found, for a message. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const json = JSON.stringify(value)
  const text = json.length > 80 ? `${json.slice(0, 80)}…` : json
  return Array.isArray(value) ? `${value.length}: ${text}` : text
}
