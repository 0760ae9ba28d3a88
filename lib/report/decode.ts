/** Checks one JSON value that came from a file; `at` is its path in the document (`items.results[3].label`). */
export type Decoder<T> = (value: unknown, at: string) => T

/** What was expected and found, and where; the reader of the file turns it into a Failure. */
export class DecodeError extends Error {}

export const number: Decoder<number> = (value, at) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse(at, 'a finite number', value)

export const count: Decoder<number> = (value, at) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : refuse(at, 'an integer from 0', value)

export const text: Decoder<string> = (value, at) => (typeof value === 'string' ? value : refuse(at, 'a string', value))

export const flag: Decoder<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : refuse(at, 'true or false', value)

export const list =
  <T>(item: Decoder<T>): Decoder<readonly T[]> =>
  (value, at) =>
    Array.isArray(value) ? value.map((entry, i) => item(entry, `${at}[${i}]`)) : refuse(at, 'a list', value)

export const nullable =
  <T>(decode: Decoder<T>): Decoder<T | null> =>
  (value, at) =>
    value === null ? null : decode(value, at)

/** A field that may be absent; `object` then leaves it out. */
export const optional =
  <T>(decode: Decoder<T>): Decoder<T | undefined> =>
  (value, at) =>
    value === undefined ? undefined : decode(value, at)

/** An object with these fields; others are refused, so that a misspelt optional field is not lost in silence. */
export const object =
  <T>(fields: { readonly [K in keyof T]-?: Decoder<T[K] | undefined> }, others: 'refused' | 'ignored' = 'refused') =>
  (value: unknown, at: string): T => {
    if (!isObject(value)) return refuse(at, 'an object', value)
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(fields, key))
    if (unknown !== undefined && others === 'refused') {
      return refuse(path(at, unknown), `one of ${Object.keys(fields).join(', ')}`, unknown)
    }
    const decoded: Record<string, unknown> = {}
    for (const key of Object.keys(fields) as (string & keyof T)[]) {
      const field = fields[key](value[key], path(at, key))
      if (field !== undefined) decoded[key] = field
    }
    return decoded as T
  }

/** An object with fields of any name. */
export const record =
  <T>(field: Decoder<T>): Decoder<Readonly<Record<string, T>>> =>
  (value, at) => {
    if (!isObject(value)) return refuse(at, 'an object', value)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, field(entry, path(at, key))]))
  }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const refuse = (at: string, expected: string, found: unknown): never => {
  const shown = found === undefined ? 'nothing' : JSON.stringify(found)
  throw new DecodeError(`"${at || 'the document'}": expected ${expected}, found ${shown.slice(0, 60)}`)
}

const path = (at: string, key: string): string => (at === '' ? key : `${at}.${key}`)
