import { hash } from 'node:crypto'
import type { Json, JsonObject } from '../util/json.ts'

/** 64 hex digits of sha256. The brand keeps any other string from standing where a digest is meant. */
export type Digest = string & { readonly brand: 'sha256' }

export const sha256 = (data: string | Uint8Array): Digest => hash('sha256', data) as Digest

/** The digest of a JSON value: equal for equal values, whatever the order of their keys. */
export const digestOf = (value: Json): Digest => sha256(canonical(value))

/**
 * One text for each JSON value and no text for two: keys sorted by code unit (no locale), every part prefixed by its
 * length, numbers in their shortest form (`1`, `1.0` and `1e0` are one number, and so are 0 and −0).
 * Throws for a number that JSON does not have: what checks the configuration must have refused it.
 */
export function canonical(value: Json): string {
  if (value === null) return 'n'
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (typeof value === 'number') return part('d', canonicalNumber(value))
  if (typeof value === 'string') return text(value)
  return isList(value) ? part('a', canonicalItems(value)) : part('o', canonicalEntries(value))
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value)

const part = (tag: string, body: string): string => `${tag}${body.length}:${body}`

/** JSON.stringify escapes a lone surrogate, which UTF-8 would turn into the same character as any other. */
const text = (value: string): string => part('s', PLAIN.test(value) ? `"${value}"` : JSON.stringify(value))

/** What JSON leaves as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`Internal error: ${value} has no canonical form`)
  return String(value)
}

function canonicalItems(items: readonly Json[]): string {
  let body = ''
  for (const item of items) body += canonical(item)
  return body
}

function canonicalEntries(value: JsonObject): string {
  const keys = Object.keys(value)
  // most are written in this order, and a sort costs more than a look
  const sorted = keys.every((key, i) => i === 0 || keys[i - 1]! < key) ? keys : keys.sort()
  let body = ''
  for (const key of sorted) body += text(key) + canonical(value[key]!)
  return body
}
